//! A real shop's nine months of invoices, and the rules that make SmartCart's trade of them.
//!
//! Nothing here knows the engine: what the shop's books ought to say is worked out from the file alone, so that the
//! comparison at the end of a replay means something.
//!
//! The rules, each counted by its name in the replay's report:
//!
//! 1. **Codes** are read in capitals: `85123a` is `85123A`. Goods are five digits with at most two letters, or the
//!    retailer's own `DCGS` codes; the rest is postage, fees, discounts and vouchers ([`rules::is_goods`]).
//! 2. **Price.** A code sells at the unit price that most of its sale lines have (a tie goes to the lower price). Lines
//!    with another price are sold at that price too and counted, with the difference in revenue.
//! 3. **Never sent**: bookkeeping invoices (`A…`) and lines without a price. A line without a price is stock written
//!    off, found or given away; the catalogue has a price for the code, so the shop could not know.
//! 4. **Sent, and to be refused by the shop**: codes that are no goods, and quantities over [`plan::LINE_LIMIT`].
//! 5. **One invoice is one cart**, with its lines in the file's order; a code that comes twice adds up to one line. An
//!    `add` that would bring its line over [`plan::LINE_LIMIT`] is refused, later smaller ones may still fit. Invoices
//!    of more than [`plan::CART_LINES`] codes fill a second and third cart, as a shopper with a full trolley would.
//! 6. **Cancellations** (`C…`): one that takes back exactly the goods and quantities of an earlier order of the same
//!    known customer cancels the latest such order. Those that take back a part, have no such order, name no goods, or
//!    are a guest's are counted and not sent.
//! 7. **Stock** is what all purchases ask for, so that it just suffices; in a scarce shop a third of that, rounded down.
//!    A shopper who meets too little stock there takes what is left of each short line and checks out again, or goes
//!    without if nothing is left; the books then expect what was asked for in the end.

pub mod books;
pub mod catalogue;
mod category;
pub mod compare;
pub mod file;
pub mod plan;
pub mod rules;
