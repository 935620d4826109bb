//! Which part of the shop a process serves: everything, or one of the four services, each with its own port.

use std::net::{Ipv4Addr, SocketAddr};

use crate::config::Config;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    All,
    /// Carts, stock and checkout: owns shards.
    Cart,
    Product,
    /// Accounts and sessions.
    User,
    Order,
}

impl Target {
    /// Whether carts and stocks live here. Other targets ask the owning pods.
    pub const fn owns_shards(self) -> bool {
        matches!(self, Self::All | Self::Cart)
    }

    pub fn serves(self, path: &str) -> bool {
        let under = |roots: &[&str]| roots.iter().any(|root| path.starts_with(root));
        match self {
            Self::All => true,
            Self::Cart => under(&["/v1/carts", "/v1/inventory"]),
            Self::Product => under(&["/v1/products"]),
            Self::User => under(&["/v1/users", "/v1/sessions"]),
            Self::Order => under(&["/v1/orders"]),
        }
    }

    const fn port(self) -> Option<u16> {
        match self {
            Self::All => None,
            Self::Product => Some(8081),
            Self::User => Some(8082),
            Self::Cart => Some(8083),
            Self::Order => Some(8084),
        }
    }

    /// Listens on the target's own port, unless another was chosen.
    #[must_use]
    pub fn listening(self, mut config: Config) -> Config {
        let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        if let Some(port) = self.port()
            && config.api.listen == default
        {
            config.api.listen.set_port(port);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_belongs_to_one_single_target() {
        let (_, description) = crate::router::api(std::time::Duration::from_secs(1), Target::All);
        let single = [Target::Cart, Target::Product, Target::User, Target::Order];
        for path in description.paths.paths.keys() {
            assert_eq!(single.iter().filter(|target| target.serves(path)).count(), 1, "{path}");
        }
    }
}
