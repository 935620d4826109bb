//! A payment gateway that answers when a test lets it.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::{
    id::OrderId,
    money::Money,
    payment::{Authorization, PaymentMethod},
};
use smartcart_engine::payment::{PaymentError, PaymentGateway};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Authorize,
    Capture,
    Void,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Begins(Call),
    Done(Call),
}

/// Keeps a record of what begins and what is done. A call to a closed line waits until it is open.
#[derive(Debug)]
pub(crate) struct Gateway {
    lines: [watch::Sender<bool>; 3],
    events: Mutex<Vec<(Event, OrderId)>>,
}

impl Gateway {
    pub(crate) fn open() -> Arc<Self> {
        let lines = [(); 3].map(|()| watch::Sender::new(true));
        Arc::new(Self { lines, events: Mutex::default() })
    }

    pub(crate) fn close(&self, call: Call) {
        self.lines[call as usize].send_replace(false);
    }

    pub(crate) fn reopen(&self, call: Call) {
        self.lines[call as usize].send_replace(true);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().iter().map(|(event, _)| *event).collect()
    }

    pub(crate) fn orders(&self, event: Event) -> Vec<OrderId> {
        let events = self.events.lock();
        events.iter().filter(|(one, _)| *one == event).map(|(_, order)| *order).collect()
    }

    async fn pass(&self, call: Call, order: OrderId) {
        self.events.lock().push((Event::Begins(call), order));
        let mut line = self.lines[call as usize].subscribe();
        line.wait_for(|open| *open).await.unwrap();
        self.events.lock().push((Event::Done(call), order));
    }
}

#[async_trait]
impl PaymentGateway for Gateway {
    async fn authorize(
        &self,
        order: OrderId,
        _: Money,
        by: &PaymentMethod,
    ) -> Result<Authorization, PaymentError> {
        self.pass(Call::Authorize, order).await;
        Ok(Authorization { method: by.method.clone(), reference: order.to_string() })
    }

    async fn capture(&self, order: OrderId, _: &Authorization) -> Result<(), PaymentError> {
        self.pass(Call::Capture, order).await;
        Ok(())
    }

    async fn void(&self, order: OrderId) -> Result<(), PaymentError> {
        self.pass(Call::Void, order).await;
        Ok(())
    }
}
