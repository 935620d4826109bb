//! Rules and actors.
