//! The conformance suites of journals and tables, run against SQLite, and what only SQLite can suffer.
//! File names are failure modes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ambiguous_commit;
mod audit;
mod backend;
mod crashes;
mod fencing;
mod journal_suite;
mod record;
mod samples;
mod store_suite;

/// Runs each function of a suite against SQLite, each in a directory of its own.
macro_rules! on_sqlite {
    ($($suite:ident::$case:ident,)*) => {$(
        #[tokio::test]
        async fn $case() {
            crate::$suite::$case(crate::backend::Sqlite::new().await).await;
        }
    )*};
}
pub(crate) use on_sqlite;

mod sqlite {
    mod journal {
        crate::on_sqlite! {
            journal_suite::gives_back_what_was_appended_in_order,
            journal_suite::refuses_a_gap,
            journal_suite::keeps_lanes_and_incarnations_apart,
            journal_suite::forgets_what_is_trimmed_but_not_the_number,
            journal_suite::pages,
            journal_suite::keeps_everything_over_a_restart,
            journal_suite::removes_only_what_is_sealed,
        }
    }
    mod store {
        crate::on_sqlite! {
            store_suite::a_cart_comes_back_as_it_was_flushed,
            store_suite::a_stock_comes_back_as_it_was_flushed,
            store_suite::changes_follow_their_image,
            store_suite::a_new_image_takes_the_place_of_image_and_tail,
            store_suite::an_image_may_bring_its_own_tail,
            store_suite::a_lower_version_is_never_written,
            store_suite::the_same_flush_again_changes_nothing,
            store_suite::tails_may_overlap,
            store_suite::changes_that_follow_nothing_are_refused,
            store_suite::a_refused_flush_writes_nothing,
            store_suite::stock_that_does_not_add_up_is_refused,
            store_suite::thousands_of_rows_fit_one_flush,
            store_suite::watermarks_and_shop_time_never_go_back,
            store_suite::checkouts_and_holds_are_found,
            store_suite::the_secret_stays,
            store_suite::an_order_is_written_once,
            store_suite::orders_are_paged_newest_first,
            store_suite::an_order_goes_through_its_states,
            store_suite::a_cancelled_order_waits_to_be_restocked,
            store_suite::products_are_versioned,
            store_suite::a_sku_belongs_to_one_product,
            store_suite::an_import_is_all_or_nothing,
            store_suite::keys_replay_and_guard,
            store_suite::keys_are_forgotten_after_a_day,
            store_suite::an_address_has_one_account,
            store_suite::sessions_rotate_and_end,
            store_suite::addresses_are_versioned,
        }
    }
}
