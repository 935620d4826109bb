use std::{process::ExitCode, sync::Arc};

use smartcart_engine::clock::SystemClock;

use crate::{config::Config, demo, pod::Pod};

/// In a fleet this process joins as a pod while it works.
pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let pod = Pod::start(&config, true, Arc::new(SystemClock::default())).await?;
    let seeded = demo::seed(&pod.engine).await;
    pod.leave().await;
    let finished = pod.stop().await;
    match seeded? {
        Some(seeded) => println!("{} products with {} SKUs", seeded.products, seeded.skus),
        None => println!("the shop already has a catalogue; nothing was changed"),
    }
    finished?;
    Ok(ExitCode::SUCCESS)
}
