//! The engine on its real journal and tables, with faults put in between.

mod answers;
mod checkout_crashes;
mod faults;
mod holds;
mod idempotency;
mod overload;
mod oversell;
mod payment;
mod residency;
mod restart;
mod shop;
