//! What every implementation of the engine's ports must do, whether it is real or in memory.
//!
//! A test crate names its implementations in its module `crate::backend`, each with an `async fn new() -> Self`, and says
//! `smartcart_testkit::conformance!(journal on [Sqlite Postgres]);` Each case runs in a place of its own.

#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

pub mod backend;
pub mod journal;
pub mod peers;
pub mod registry;
pub mod samples;
pub mod store;

/// Makes a test of every case of a suite for every implementation named.
#[expect(clippy::crate_in_macro_def, reason = "the backends are the calling test's own")]
#[macro_export]
macro_rules! conformance {
    (journal on $backends:tt) => {
        $crate::conformance! { @suite journal $backends [
            gives_back_what_was_appended_in_order
            refuses_a_gap
            keeps_lanes_and_incarnations_apart
            forgets_what_is_trimmed_but_not_the_number
            pages
            keeps_everything_over_a_restart
            removes_only_what_is_sealed
            the_same_entry_again_is_accepted_once
            another_entry_of_the_same_number_is_refused
            an_append_that_was_given_up_can_be_asked_again
        ] }
    };
    (store on $backends:tt) => {
        $crate::conformance! { @suite store $backends [
            a_cart_comes_back_as_it_was_flushed
            a_stock_comes_back_as_it_was_flushed
            changes_follow_their_image
            a_new_image_takes_the_place_of_image_and_tail
            an_image_may_bring_its_own_tail
            a_lower_version_is_never_written
            the_same_flush_again_changes_nothing
            tails_may_overlap
            changes_that_follow_nothing_are_refused
            a_refused_flush_writes_nothing
            stock_that_does_not_add_up_is_refused
            thousands_of_rows_fit_one_flush
            watermarks_and_shop_time_never_go_back
            checkouts_and_holds_are_found
            the_secret_stays
            an_order_is_written_once
            orders_are_paged_newest_first
            an_order_goes_through_its_states
            a_cancelled_order_waits_to_be_restocked
            cancelled_orders_take_turns
            products_are_versioned
            a_sku_belongs_to_one_product
            a_version_stands_for_one_product
            an_import_takes_what_it_can
            an_import_moves_skus_whatever_the_order
            keys_replay_and_guard
            keys_are_forgotten_after_a_day
            an_address_has_one_account
            sessions_rotate_and_end
            addresses_are_versioned
            two_tabs_may_refresh_at_once
            what_says_the_same_keeps_its_version
        ] }
    };
    (registry on $backends:tt) => {
        $crate::conformance! { @suite registry $backends [
            a_member_joins_and_beats
            a_shard_is_claimed_once
            a_shard_is_handed_over_at_its_epoch_and_to_the_living
            a_member_goes_when_it_owns_nothing
            whoever_was_declared_dead_can_do_nothing
            one_takes_over_and_the_living_get_the_shards
            changes_are_told
        ] }
    };
    (peers on $backends:tt) => {
        $crate::conformance! { @suite peers $backends [
            a_request_is_answered_by_its_owner
            whoever_does_not_own_the_shard_says_so
            a_probe_says_whom_a_pod_knows
            an_answer_comes_before_its_deadline_or_not_at_all
            an_engines_own_steps_stay_on_their_pod
        ] }
    };
    (@suite $suite:ident $backends:tt [$($case:ident)*]) => {
        mod $suite {$(
            mod $case {
                $crate::conformance! { @case $suite $case $backends }
            }
        )*}
    };
    (@case $suite:ident $case:ident [$($backend:ident)*]) => {$(
        #[tokio::test]
        #[expect(non_snake_case, reason = "named after the implementation")]
        async fn $backend() {
            $crate::conformance::$suite::$case(crate::backend::$backend::new().await).await;
        }
    )*};
}
