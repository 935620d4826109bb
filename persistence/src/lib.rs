//! Durable parts.
