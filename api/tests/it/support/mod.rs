mod client;
pub(crate) mod fleet;
mod shop;

pub(crate) use client::{Answer, Client, Request};
pub(crate) use shop::TestShop;
