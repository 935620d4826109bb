//! The HTTP service, the command line, and the one place where everything is wired together.
//!
//! # To add an endpoint
//! 1. A file in `routes/`: the request's type (it refuses unknown fields), the description, the handler.
//! 2. A line in [`router`].
//! 3. What it answers is a view in `views/`; how it can fail is a [`problem::Code`].
//! 4. `UPDATE_OPENAPI=1 cargo test -p smartcart-api openapi` writes the new `openapi.json`.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod demo;
pub mod docs;
pub mod extract;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod ops;
pub mod pod;
pub mod problem;
pub mod reply;
pub mod router;
pub mod routes;
pub mod server;
pub mod shop;
pub mod storage;
pub mod target;
pub mod views;
