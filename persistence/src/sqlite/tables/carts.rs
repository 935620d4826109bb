use smartcart_domain::{id::CartId, snapshot::CartSnapshot};
use smartcart_engine::store::{Row, Stored};
use sqlx::SqliteConnection;

use super::snapshots::EntityRow;
use crate::error::TableResult;
use crate::{
    columns::{id_bytes, ids_of, signed},
    rows::{CartRow, Part, assemble},
    sqlite::bulk::Bound,
};
use smartcart_wire::{decode_cart_snapshot, encode_cart_snapshot};

impl EntityRow for CartRow<'_> {
    const TABLE: &'static str = "cart";
    const KEYS: (&'static str, &'static str) = ("id", "cart");
    const COLUMNS: &'static [&'static str] = &[
        "owner",
        "checking_out",
        "last_order",
        "currency",
        "quantity",
        "subtotal",
        "updated_at",
        "expires_at",
    ];

    fn row(&self) -> &Row {
        self.row
    }

    fn bind_key(&self, query: Bound) -> Bound {
        query.bind(id_bytes(self.id.0))
    }

    fn bind_columns(&self, query: Bound) -> Bound {
        let cart = self.cart;
        query
            .bind(cart.owner.map(|user| id_bytes(user.0)))
            .bind(cart.checkout.is_some())
            .bind(cart.last_order.as_deref().map(|last| id_bytes(last.id.0)))
            .bind(cart.currency.to_string())
            .bind(signed(cart.quantity()))
            .bind(cart.subtotal())
            .bind(cart.updated_at.0)
            .bind(cart.expires_at.0)
    }

    fn snapshot(&self) -> Option<(u64, Vec<u8>)> {
        self.snapshot.map(|snapshot| (snapshot.cart.version, encode_cart_snapshot(snapshot)))
    }
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    id: CartId,
) -> TableResult<Option<Stored<CartSnapshot>>> {
    let key = id_bytes(id.0);
    // One statement, so that snapshot and tail are of one moment.
    let parts = sqlx::query_as!(
        Part,
        r#"SELECT version AS "version!", bytes AS "bytes!: Vec<u8>" FROM (
               SELECT 0 AS place, version, image AS bytes FROM cart WHERE id = ?1
               UNION ALL
               SELECT version, version, changes FROM cart_tail
               WHERE cart = ?1 AND version > (SELECT image_version FROM cart WHERE id = ?1))
           ORDER BY place"#,
        key
    )
    .fetch_all(connection)
    .await?;
    let subject = format_args!("cart {id}");
    let stored = assemble(&parts, subject, decode_cart_snapshot, |snapshot| snapshot.cart.version)?;
    Ok(stored.map(|(snapshot, tail)| Stored { snapshot, tail }))
}

pub(super) async fn checking_out(connection: &mut SqliteConnection) -> TableResult<Vec<CartId>> {
    let column = sqlx::query_scalar!("SELECT id FROM cart WHERE checking_out = 1 ORDER BY id")
        .fetch_all(connection)
        .await?;
    Ok(ids_of(&column, CartId)?)
}
