//! The one shape of lists: `?cursor=&limit=` and `{items, next_cursor, total?}` (00 §11).

use model::{limits, problem::Problem};
use serde::{Deserialize, Serialize};

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Items in the page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u32>,
}

/// Items in a page, checked.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(limits::PAGE),
        Some(limit @ 1..=limits::PAGE_MAX) => Ok(limit),
        Some(_) => {
            Err(Problem::invalid_field("/limit", format!("1 to {} are allowed", limits::PAGE_MAX)).with("in", "query"))
        }
    }
}

/// A cursor of this list, read back; 422 for any other text.
pub fn cursor<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(|text| text.parse().map_err(|_| wrong_cursor())).transpose()
}

/// The refusal of a text that is no cursor of this list.
pub fn wrong_cursor() -> Problem {
    Problem::invalid_field("/cursor", "not a cursor of this list").with("in", "query")
}

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Listing<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page starts; null at the end.
    pub next_cursor: Option<String>,
    /// How many there are in all, where that is cheap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> Listing<T> {
    /// Cuts a page out of a whole list that is short enough to be read at once: what stands behind
    /// the row that `cursor` names.
    pub fn of_all<R>(
        rows: Vec<R>,
        query: &PageQuery,
        cursor: impl Fn(&R) -> String,
        view: impl FnMut(R) -> T,
    ) -> Result<Self, Problem> {
        let (limit, total) = (limit(query.limit)?, rows.len() as u64);
        let start = match &query.cursor {
            None => 0,
            Some(after) => rows.iter().position(|row| cursor(row) == *after).ok_or_else(wrong_cursor)? + 1,
        };
        let rows = rows.into_iter().skip(start).take(limit as usize + 1).collect();
        Ok(Self { total: Some(total), ..Self::cut(rows, limit, cursor, view) })
    }

    /// Cuts a page out of `limit + 1` rows; the one too many says that there is more.
    pub fn cut<R>(mut rows: Vec<R>, limit: u32, cursor: impl Fn(&R) -> String, view: impl FnMut(R) -> T) -> Self {
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| more).map(cursor);
        Self { items: rows.into_iter().map(view).collect(), next_cursor, total: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_too_many_becomes_the_cursor() {
        let page = Listing::cut(vec![1, 2, 3], 2, |n| n.to_string(), |n| n * 10);
        assert_eq!((page.items, page.next_cursor.as_deref()), (vec![10, 20], Some("2")));
        let page = Listing::cut(vec![1, 2], 2, |n| n.to_string(), |n| n);
        assert_eq!((page.items.len(), page.next_cursor), (2, None));
    }

    #[test]
    fn a_short_list_is_paged_by_its_own_rows() {
        let page = |cursor: Option<&str>, limit| {
            let query = PageQuery { cursor: cursor.map(str::to_owned), limit };
            Listing::of_all(vec!["a", "b", "c"], &query, |row| (*row).to_owned(), |row| row)
        };
        let first = page(None, Some(2)).unwrap();
        assert_eq!((first.items, first.next_cursor.as_deref(), first.total), (vec!["a", "b"], Some("b"), Some(3)));
        let rest = page(Some("b"), None).unwrap();
        assert_eq!((rest.items, rest.next_cursor), (vec!["c"], None));
        assert_eq!(page(Some("x"), None).unwrap_err().code, model::code::Code::Invalid);
    }

    // A bad value of a query is 422, never a default.
    #[test]
    fn limits_are_checked() {
        assert_eq!(limit(None), Ok(100));
        assert_eq!(limit(Some(500)), Ok(500));
        assert!(limit(Some(0)).is_err() && limit(Some(501)).is_err());
        assert!(cursor::<u32>(Some("x")).is_err());
    }
}
