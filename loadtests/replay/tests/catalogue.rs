//! The catalogue in the repository is the one that the trade file gives.

use std::path::Path;

use smartcart_replay::trade::{catalogue, file};

#[test]
fn given_the_trade_file_then_the_demo_catalogue_is_up_to_date() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = file::read(&here.join("../data/online-retail.csv.gz")).unwrap();
    let built = catalogue::to_tsv(&catalogue::build(&lines));
    let shipped = std::fs::read_to_string(here.join("../../api/demo/catalogue.tsv")).unwrap();
    assert!(built == shipped, "run: cargo run -p smartcart-replay --bin demo_catalogue");
    assert!(shipped.lines().skip(1).count() > 3_000);
}
