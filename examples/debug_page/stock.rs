//! The parts of the shop that fail.

use std::{error::Error, fmt, io};

/// A cart of a customer.
pub struct Cart {
    prices: Vec<u32>,
}

impl Cart {
    pub fn load(id: u32) -> Self {
        let prices = match id {
            1 => vec![3, 5],
            // Nobody has put anything into any other cart.
            _ => vec![],
        };
        Self { prices }
    }

    pub fn average_price(&self) -> u32 {
        let sum: u32 = self.prices.iter().sum();
        divide(sum, self.prices.len())
    }
}

fn divide(sum: u32, count: usize) -> u32 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    sum / count
}

/// One step of the way to the database.
#[derive(Debug)]
struct Step {
    failed: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.failed)
    }
}

impl Error for Step {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Loads an order, which always fails.
pub fn load_order(_: u32) -> Result<u32, impl Error + Send + Sync + 'static> {
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    let mut error = step("connect to 127.0.0.1:5432", refused);
    for failed in [
        "open a connection to the database",
        "no connection in the pool became free",
        "begin a transaction",
        "query `SELECT * FROM orders WHERE id = $1`",
        "read the order",
        "read the customer of the order",
        "price the order",
        "load the order",
    ] {
        error = step(failed, error);
    }
    Err(error)
}

fn step(failed: &'static str, source: impl Error + Send + Sync + 'static) -> Step {
    Step {
        failed,
        source: Box::new(source),
    }
}

/// Counts the stock, which always fails.
pub fn count() -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        "the warehouse does not respond",
    ))
}
