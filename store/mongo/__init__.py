"""The store on MongoDB's wire protocol, for MongoDB and the embedded engine. Only here is pymongo used."""
