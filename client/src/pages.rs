//! Lists, page after page.

use std::vec;

use protocol::api::{PAGE_MAX, Page};
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::ClientError;
use crate::http::Ask;

/// The most characters of the token that names the next page.
const TOKEN_CHARS_MAX: usize = 1_024;

/// The most pages without an entry, one after the other.
const EMPTY_PAGES_MAX: u32 = 100;

/// The entries of a list, in its order. An iterator that asks for the next page when
/// one is used up, and ends after the first error.
#[derive(Debug)]
pub struct Pages<T> {
    client: Client,
    ask: Ask,
    limit: Option<usize>,
    after: Option<String>,
    circle: Circle,
    empty: u32,
    is_last: bool,
    items: vec::IntoIter<T>,
}

/// Finds that tokens go in a circle, however long it is, and keeps one of them (R. P. Brent, An improved Monte Carlo
/// factorization algorithm, BIT 20, 1980, section 2).
#[derive(Debug, Default)]
struct Circle {
    kept: Option<String>,
    seen: u64,
}

impl Circle {
    /// Whether this token was seen before, sooner or later.
    fn closes(&mut self, token: &str) -> bool {
        if self.kept.as_deref() == Some(token) {
            return true;
        }
        self.seen += 1;
        // The last one of each power of two is kept.
        if self.seen.is_power_of_two() {
            self.kept = Some(token.to_owned());
        }
        false
    }
}

impl Client {
    pub(crate) fn pages<T>(&self, ask: Ask) -> Pages<T> {
        Pages {
            client: self.clone(),
            ask,
            limit: None,
            after: None,
            circle: Circle::default(),
            empty: 0,
            is_last: false,
            items: Vec::new().into_iter(),
        }
    }
}

impl<T> Pages<T> {
    /// Asks for so many entries at once, 1 to [`PAGE_MAX`]. It bounds a page, not the list: for that, `take`.
    #[must_use]
    pub fn page_size(self, entries: usize) -> Self {
        let limit = Some(entries.clamp(1, PAGE_MAX));
        Self { limit, ..self }
    }

    /// Begins after the page whose `next` this is.
    #[must_use]
    pub fn after(self, next: impl Into<String>) -> Self {
        let after = Some(next.into());
        Self { after, ..self }
    }
}

impl<T: DeserializeOwned> Pages<T> {
    /// The next page as a whole; `None` after the last.
    ///
    /// # Errors
    /// The node cannot be asked, or its pages go in a circle, have no usable name, or are empty again and again.
    pub fn next_page(&mut self) -> Result<Option<Page<T>>, ClientError> {
        if self.is_last {
            return Ok(None);
        }
        // An error ends the list: a caller that loops over it must come to an end.
        self.is_last = true;
        let ask = self
            .ask
            .clone()
            .query("limit", self.limit)
            .query("after", self.after.as_ref());
        let page: Page<T> = self.client.get(ask)?;
        self.empty = match page.items.is_empty() {
            true => self.empty + 1,
            false => 0,
        };
        if let Some(next) = &page.next {
            let is_same = self.after.as_ref() == Some(next) || self.circle.closes(next);
            if is_same || next.len() > TOKEN_CHARS_MAX || self.empty >= EMPTY_PAGES_MAX {
                return Err(self.client.http.bad(
                    "a list whose next page was there before, has no usable name, or never has an entry",
                ));
            }
            self.after = Some(next.clone());
            self.is_last = false;
        }
        Ok(Some(page))
    }
}

impl<T: DeserializeOwned> Iterator for Pages<T> {
    type Item = Result<T, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            match self.next_page() {
                Ok(Some(page)) => self.items = page.items.into_iter(),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
