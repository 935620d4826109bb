//! Whether this process behaves as the next version: what that adds to records and to the schema, a fleet of both must bear.

/// In a build with the feature `next`, when the environment says so: one build is then both versions. A build without the
/// feature, as every release is, cannot be told to.
#[cfg(feature = "next")]
pub fn is_simulated() -> bool {
    static SIMULATED: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var_os("SMARTCART_SIMULATE_NEXT_VERSION").is_some());
    *SIMULATED
}

#[cfg(not(feature = "next"))]
pub const fn is_simulated() -> bool {
    false
}
