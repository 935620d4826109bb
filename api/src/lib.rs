//! The HTTP service, the command line, and the one place where everything is wired together.
//!
//! Architecture Invariant: nothing but tests imports this crate, and its modules form no cycle: [`etag`], [`json`], [`limits`]
//! and [`disclosure`] lie below [`problem`] and [`reply`], these below [`auth`] and [`changes`], then [`app_state`], [`extract`],
//! [`routes`], [`router`] and [`app`].
//!
//! # To add an endpoint
//! 1. A file in `routes/`: the request's type (it refuses unknown fields), the description, the handler.
//! 2. A line in [`router`].
//! 3. What it answers is a view in `views/`; how it can fail is a [`problem::Code`].
//! 4. `UPDATE_OPENAPI=1 cargo test -p smartcart-api openapi` writes the new `openapi.json`.
//!
//! # To add a reason to refuse
//! 1. The rejection, in the domain. The compiler then names the `match` in `problem/from_engine.rs` and the table in
//!    `problem/tests.rs`.
//! 2. Its code in `problem/code.rs`: a word of its own, which a test demands. The OpenAPI document lists it by itself.
//!
//! # To add a kind of entity
//! After its rules, wire form, actors and tables (see the other crates' recipes):
//! 1. A line in `tests/it/entity_kinds.rs`, which does not compile without it. It asks for the four that follow.
//! 2. Its rejections: `From<..Rejection> for Problem` in `problem/from_engine.rs`, and their table in `problem/tests.rs`.
//! 3. Its view in `views/`, which takes the entity apart by field name, so that the compiler names a field that was forgotten.
//!    An enum of the domain has a twin there, with a `From` that has no wildcard.
//! 4. Its routes: a folder in `routes/`, its lines in [`router`], its tag in [`openapi`], and the target that serves it in
//!    [`target`] (a test demands that one does).
//! 5. What the demo shop needs of it, in [`demo`]; the line says which one a visitor finds there.
//!
//! # To add a setting
//! 1. A line in its section in `config/`, and what it becomes in that section's `build`; its default in
//!    `smartcart.example.toml` (a test demands it).
//! 2. A setting that gets another name is listed in `config/renamed.rs`: the old name is refused with the new one.

pub mod app;
pub mod app_state;
pub mod auth;
pub mod cache_control;
pub mod changes;
pub mod cli;
pub mod config;
pub mod demo;
pub mod disclosure;
pub mod docs;
pub mod etag;
pub mod extract;
pub mod front;
pub mod json;
pub mod limits;
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
pub mod storage;
pub mod target;
pub mod views;
