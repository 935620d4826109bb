//! One HTTP/1.1 client, in three layers: a connection, as lean as a load needs it; a request and its response; and a client
//! that keeps connections open and tries again.

mod client;
mod connection;
mod request;
mod response;

pub use client::{Client, authority_of};
pub use connection::{Connection, Head};
pub use request::{Caller, Request, render};
pub use response::Response;
