//! What travels between the backend of Countersign and its clients.
