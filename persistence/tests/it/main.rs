//! The conformance suites of journals and tables, run against SQLite, PostgreSQL and Redis, and what only one of them can
//! suffer. File names are failure modes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ambiguous_commit;
mod audit;
mod backend;
mod crashes;
mod fencing;
mod journal_suite;
mod postgres;
mod redis;
mod samples;
mod store_suite;

/// Runs each function of a suite against every database named, each in a place of its own.
macro_rules! suite {
    ($suite:ident on $databases:tt: $($case:ident,)*) => {
        mod $suite {$(
            suite! { @on $databases $suite $case }
        )*}
    };
    (@on [$($database:ident)*] $suite:ident $case:ident) => {
        mod $case {$(
            #[tokio::test]
            #[expect(non_snake_case, reason = "named after the database")]
            async fn $database() {
                crate::$suite::$case(crate::backend::$database::new().await).await;
            }
        )*}
    };
}

mod every {
    suite! {
        journal_suite on [Sqlite Postgres Redis RedisCluster]:
        gives_back_what_was_appended_in_order,
        refuses_a_gap,
        keeps_lanes_and_incarnations_apart,
        forgets_what_is_trimmed_but_not_the_number,
        pages,
        keeps_everything_over_a_restart,
        removes_only_what_is_sealed,
    }
    suite! {
        ambiguous_commit on [Sqlite Postgres Redis RedisCluster]:
        the_same_entry_again_is_accepted_once,
        another_entry_of_the_same_number_is_refused,
        an_append_that_was_given_up_can_be_asked_again,
    }
    suite! {
        store_suite on [Sqlite Postgres]:
        a_cart_comes_back_as_it_was_flushed,
        a_stock_comes_back_as_it_was_flushed,
        changes_follow_their_image,
        a_new_image_takes_the_place_of_image_and_tail,
        an_image_may_bring_its_own_tail,
        a_lower_version_is_never_written,
        the_same_flush_again_changes_nothing,
        tails_may_overlap,
        changes_that_follow_nothing_are_refused,
        a_refused_flush_writes_nothing,
        stock_that_does_not_add_up_is_refused,
        thousands_of_rows_fit_one_flush,
        watermarks_and_shop_time_never_go_back,
        checkouts_and_holds_are_found,
        the_secret_stays,
        an_order_is_written_once,
        orders_are_paged_newest_first,
        an_order_goes_through_its_states,
        a_cancelled_order_waits_to_be_restocked,
        products_are_versioned,
        a_sku_belongs_to_one_product,
        an_import_is_all_or_nothing,
        keys_replay_and_guard,
        keys_are_forgotten_after_a_day,
        an_address_has_one_account,
        sessions_rotate_and_end,
        addresses_are_versioned,
    }
}
