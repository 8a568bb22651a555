//! Statement texts. Each is declared once, in the file of its resource, so that a test can prepare
//! every one of them on both databases.

/// One statement: the same text for both databases, or a text each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

/// Declares statements. `NAME = "..."` is one text for both databases, `NAME => sqlite "...",
/// postgres "..."` a text each; an empty text means that this database does it another way.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident $(= $text:expr)? $(=> sqlite $lite:expr, postgres $pg:expr)?;)*) => {
        $($(#[$doc])* const $name: $crate::sql::Sql = $crate::sql::Sql {
            name: stringify!($name),
            sqlite: $($text)? $($lite)?,
            postgres: $($text)? $($pg)?,
        };)*
        /// Every statement of this file.
        pub(crate) const STATEMENTS: &[$crate::sql::Sql] = &[$($name),*];
    };
}
pub(crate) use statements;
