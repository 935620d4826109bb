use smartcart_engine::{
    cart::Cart,
    commit::{CartImage, Change},
    id::CartId,
    store::Stored,
};
use sqlx::SqliteConnection;

use super::{
    TableResult,
    entities::{after, ids, invariant},
};
use crate::{
    error::corrupt,
    record::{decode_cart_image, decode_changes, encode_cart_image, encode_changes},
    sqlite::{
        bulk::{Bound, Bulk},
        columns::{id_bytes, signed, unsigned},
    },
};

/// What a flush brings of one cart.
pub(super) struct CartRow<'a> {
    pub(super) id: CartId,
    pub(super) version: u64,
    pub(super) cart: &'a Cart,
    pub(super) image: Option<&'a CartImage>,
    pub(super) tail: &'a [Change],
}

#[derive(Debug)]
pub(super) struct Statements {
    put_image: Bulk,
    put_header: Bulk,
    put_tail: Bulk,
    /// Tails that an image has overtaken.
    drop_tails: Bulk,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            put_image: Bulk::new(
                "INSERT INTO cart (id, version, owner, checking_out, last_order, currency, quantity, subtotal,
                 updated_at, expires_at, image_version, image) VALUES",
                12,
                "ON CONFLICT (id) DO UPDATE SET version = excluded.version, owner = excluded.owner,
                 checking_out = excluded.checking_out, last_order = excluded.last_order,
                 currency = excluded.currency, quantity = excluded.quantity, subtotal = excluded.subtotal,
                 updated_at = excluded.updated_at, expires_at = excluded.expires_at,
                 image_version = excluded.image_version, image = excluded.image
                 WHERE excluded.version > cart.version",
            ),
            put_header: Bulk::new(
                "WITH given (id, version, owner, checking_out, last_order, currency, quantity, subtotal,
                 updated_at, expires_at, first) AS (VALUES",
                11,
                ") UPDATE cart SET version = given.version, owner = given.owner,
                 checking_out = given.checking_out, last_order = given.last_order,
                 currency = given.currency, quantity = given.quantity, subtotal = given.subtotal,
                 updated_at = given.updated_at, expires_at = given.expires_at
                 FROM given
                 WHERE cart.id = given.id AND cart.version < given.version AND cart.version >= given.first - 1",
            ),
            put_tail: Bulk::new(
                "INSERT INTO cart_tail (cart, version, changes) VALUES",
                3,
                "ON CONFLICT DO NOTHING",
            ),
            drop_tails: Bulk::new(
                "DELETE FROM cart_tail WHERE cart IN (VALUES",
                1,
                ") AND version <= (SELECT image_version FROM cart WHERE id = cart_tail.cart)",
            ),
        }
    }
}

pub(super) async fn flush(
    connection: &mut SqliteConnection,
    statements: &Statements,
    rows: Vec<CartRow<'_>>,
) -> TableResult<()> {
    let (whole, changed): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.image.is_some());
    statements
        .put_image
        .execute(connection, &whole, |query, row| {
            let version = row.image.map_or(0, |image| image.cart.version);
            let image = row.image.map(encode_cart_image).unwrap_or_default();
            bind_header(query, row).bind(signed(version)).bind(image)
        })
        .await?;
    statements.drop_tails.execute(connection, &whole, |query, row| query.bind(id_bytes(row.id.0))).await?;
    let updated = statements
        .put_header
        .execute(connection, &changed, |query, row| {
            let first = row.tail.first().map_or(row.version, |change| change.version);
            bind_header(query, row).bind(signed(first))
        })
        .await?;
    if updated < changed.len() as u64 {
        must_be_known(connection, &changed).await?;
    }
    let tails: Vec<_> = whole.iter().chain(&changed).filter(|row| !row.tail.is_empty()).collect();
    statements
        .put_tail
        .execute(connection, &tails, |query, row| {
            query.bind(id_bytes(row.id.0)).bind(signed(row.version)).bind(encode_changes(row.tail))
        })
        .await?;
    Ok(())
}

fn bind_header(query: Bound, row: &CartRow<'_>) -> Bound {
    let cart = row.cart;
    query
        .bind(id_bytes(row.id.0))
        .bind(signed(row.version))
        .bind(cart.owner.map(|user| id_bytes(user.0)))
        .bind(i64::from(cart.checkout.is_some()))
        .bind(cart.last_order.map(|order| id_bytes(order.0)))
        .bind(cart.currency.to_string())
        .bind(signed(cart.quantity()))
        .bind(cart.subtotal())
        .bind(cart.updated_at.0)
        .bind(cart.expires_at.0)
}

/// Changes without an image were not all taken: either the tables have them already, or what they follow is missing.
async fn must_be_known(connection: &mut SqliteConnection, rows: &[CartRow<'_>]) -> TableResult<()> {
    for row in rows {
        let id = id_bytes(row.id.0);
        let version = sqlx::query_scalar!("SELECT version FROM cart WHERE id = ?", id)
            .fetch_optional(&mut *connection)
            .await?
            .map_or(0, unsigned);
        if version < row.version {
            let CartRow { id, version: next, .. } = row;
            let what = format!("cart {id}: changes to version {next} do not follow version {version}");
            return Err(invariant(what).into());
        }
    }
    Ok(())
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    id: CartId,
) -> TableResult<Option<Stored<CartImage>>> {
    let subject = format_args!("cart {id}").to_string();
    let key = id_bytes(id.0);
    // One statement, so that image and tail are of one moment.
    let parts = sqlx::query!(
        r#"SELECT 0 AS "place!: i64", version AS "version!: i64", image AS "bytes!: Vec<u8>"
           FROM cart WHERE id = ?1
           UNION ALL
           SELECT version, version, changes FROM cart_tail
           WHERE cart = ?1 AND version > (SELECT image_version FROM cart WHERE id = ?1)
           ORDER BY 1"#,
        key
    )
    .fetch_all(connection)
    .await?;
    let Some((head, tail)) = parts.split_first() else { return Ok(None) };
    let image = decode_cart_image(&head.bytes).map_err(corrupt(&subject))?;
    let mut changes = Vec::new();
    for part in tail {
        changes.extend(decode_changes(&part.bytes).map_err(corrupt(&subject))?);
    }
    let tail = after(image.cart.version, unsigned(head.version), changes, &subject)?;
    Ok(Some(Stored { image, tail }))
}

pub(super) async fn checking_out(connection: &mut SqliteConnection) -> TableResult<Vec<CartId>> {
    let column = sqlx::query_scalar!("SELECT id FROM cart WHERE checking_out = 1 ORDER BY id")
        .fetch_all(connection)
        .await?;
    ids(&column, CartId)
}
