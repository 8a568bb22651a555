//! The thin row interface: parameters that go in, rows that come out, the same for both databases.

use std::{borrow::Cow, error::Error, vec};

use bytes::BytesMut;

use model::{digest::Digest, id, time::Timestamp};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::error::StoreError;

/// One parameter or column. Lists are arrays in PostgreSQL and JSON text in SQLite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Uuid(Uuid),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<Cow<'a, str>>>),
    Uuids(Vec<Option<PgUuid>>),
    Blobs(Vec<Option<Vec<u8>>>),
}

/// A UUID as PostgreSQL's own 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PgUuid(pub Uuid);

impl ToSql for PgUuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
    to_sql_checked!();
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => match *ty {
                Type::INT8 => value.to_sql(ty, out),
                _ => Err(format!("a number was given for a {ty}").into()),
            },
            Value::Text(text) => text.as_ref().to_sql(ty, out),
            Value::Bytes(bytes) => bytes.as_ref().to_sql(ty, out),
            Value::Uuid(uuid) => PgUuid(*uuid).to_sql(ty, out),
            Value::Ints(list) => list.to_sql(ty, out),
            Value::Texts(list) => list.to_sql(ty, out),
            Value::Uuids(list) => list.to_sql(ty, out),
            Value::Blobs(list) => list.to_sql(ty, out),
        }
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'static> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Value::Int),
            Type::INT4 => i32::from_sql(ty, raw).map(|value| Value::Int(value.into())),
            Type::BOOL => bool::from_sql(ty, raw).map(|value| Value::Int(value.into())),
            Type::BYTEA => Ok(Value::Bytes(raw.to_vec().into())),
            Type::UUID => Ok(Value::Uuid(Uuid::from_slice(raw)?)),
            _ => <&str>::from_sql(ty, raw).map(|text| Value::Text(text.to_owned().into())),
        }
    }
    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Value::Null)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let list = |values: Vec<serde_json::Value>| {
            Ok(ToSqlOutput::Owned(rusqlite::types::Value::Text(serde_json::Value::from(values).to_string())))
        };
        match self {
            Value::Null => Ok(ToSqlOutput::Borrowed(ValueRef::Null)),
            Value::Int(value) => Ok(ToSqlOutput::Borrowed(ValueRef::Integer(*value))),
            Value::Text(text) => Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))),
            Value::Bytes(bytes) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(bytes))),
            Value::Uuid(uuid) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(uuid.as_bytes()))),
            Value::Ints(values) => list(values.iter().map(|value| (*value).into()).collect()),
            Value::Texts(values) => list(values.iter().map(|value| value.as_deref().into()).collect()),
            // The hot one: written without a value in between.
            Value::Uuids(values) => {
                let mut text = String::with_capacity(2 + values.len() * 35);
                for value in values {
                    text.push(if text.is_empty() { '[' } else { ',' });
                    match value {
                        Some(uuid) => {
                            text.push('"');
                            text.push_str(uuid.0.simple().encode_lower(&mut Uuid::encode_buffer()));
                            text.push('"');
                        }
                        None => text.push_str("null"),
                    }
                }
                text.push_str(if text.is_empty() { "[]" } else { "]" });
                Ok(ToSqlOutput::Owned(rusqlite::types::Value::Text(text)))
            }
            Value::Blobs(values) => list(values.iter().map(|value| value.as_ref().map(hex::encode).into()).collect()),
        }
    }
}

macro_rules! from_ids {
    ($($id:ident)*) => {$(
        impl From<id::$id> for Value<'_> {
            fn from(id: id::$id) -> Self { Value::Uuid(id.uuid()) }
        }
    )*};
}
from_ids!(ProjectId RunId TaskId WorkerId QuestionId UserId TokenId ArtifactId EvidenceId WaiverId IssueId CommentId LineageId PairingId ReserveId);

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}
impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Value::Int(value.into())
    }
}
impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Value::Int(value.into())
    }
}
impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Int(value.into())
    }
}
/// Numbers past `i64::MAX` do not occur: sequences and revisions rise by one, sizes are of files.
impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<usize> for Value<'_> {
    fn from(value: usize) -> Self {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Value::Int(value.micros())
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Text(Cow::Borrowed(value))
    }
}
impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Value::Text(Cow::Owned(value))
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Value::Bytes(Cow::Borrowed(value))
    }
}
impl<'a> From<&'a Digest> for Value<'a> {
    fn from(value: &'a Digest) -> Self {
        Value::Bytes(Cow::Borrowed(value.bytes()))
    }
}
impl From<Digest> for Value<'_> {
    fn from(value: Digest) -> Self {
        Value::Bytes(Cow::Owned(value.bytes().to_vec()))
    }
}
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<'a> Value<'a> {
    /// The same, kept by nobody else.
    pub fn into_owned(self) -> Value<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        match self {
            Value::Null => Value::Null,
            Value::Int(value) => Value::Int(value),
            Value::Text(text) => Value::Text(own(text)),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Value::Uuid(uuid) => Value::Uuid(uuid),
            Value::Ints(list) => Value::Ints(list),
            Value::Texts(list) => Value::Texts(list.into_iter().map(|text| text.map(own)).collect()),
            Value::Uuids(list) => Value::Uuids(list),
            Value::Blobs(list) => Value::Blobs(list),
        }
    }

    /// A list of texts.
    pub fn texts<T: Into<Cow<'a, str>>>(list: impl IntoIterator<Item = T>) -> Self {
        Value::Texts(list.into_iter().map(|text| Some(text.into())).collect())
    }
    /// A list of numbers.
    pub fn ints(list: impl IntoIterator<Item = i64>) -> Self {
        Value::Ints(list.into_iter().map(Some).collect())
    }
    /// A list of ids.
    pub fn uuids(list: impl IntoIterator<Item = Uuid>) -> Self {
        Value::Uuids(list.into_iter().map(|uuid| Some(PgUuid(uuid))).collect())
    }
    /// JSON text.
    pub fn json<T: serde::Serialize>(value: &T) -> Self {
        // Every type of ours serialises: string keys only, no failing Serialize.
        Value::Text(Cow::Owned(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())))
    }
}

/// A row. Its columns are taken one after the other, in the order of the statement's text.
#[derive(Debug)]
pub(crate) struct Row(vec::IntoIter<Value<'static>>);

impl Row {
    pub fn new(values: Vec<Value<'static>>) -> Self {
        Self(values.into_iter())
    }

    fn wrong(what: &str, found: &Value<'_>) -> StoreError {
        StoreError::DatabaseDamaged(format!("a column should hold {what} and holds {}", shape(found)))
    }

    pub fn value(&mut self) -> Value<'static> {
        self.0.next().unwrap_or(Value::Null)
    }
    pub fn int(&mut self) -> Result<i64, StoreError> {
        match self.value() {
            Value::Int(value) => Ok(value),
            other => Err(Self::wrong("a number", &other)),
        }
    }
    pub fn opt_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(value)),
            other => Err(Self::wrong("a number", &other)),
        }
    }
    pub fn flag(&mut self) -> Result<bool, StoreError> {
        self.int().map(|value| value != 0)
    }
    pub fn u64(&mut self) -> Result<u64, StoreError> {
        self.int().and_then(|value| u64::try_from(value).map_err(|_| Self::wrong("a count", &Value::Int(value))))
    }
    pub fn u32(&mut self) -> Result<u32, StoreError> {
        self.int().and_then(|value| u32::try_from(value).map_err(|_| Self::wrong("a count", &Value::Int(value))))
    }
    pub fn i32(&mut self) -> Result<i32, StoreError> {
        self.int().and_then(|value| i32::try_from(value).map_err(|_| Self::wrong("a number", &Value::Int(value))))
    }
    pub fn text(&mut self) -> Result<String, StoreError> {
        match self.value() {
            Value::Text(text) => Ok(text.into_owned()),
            other => Err(Self::wrong("a text", &other)),
        }
    }
    pub fn opt_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.into_owned())),
            other => Err(Self::wrong("a text", &other)),
        }
    }
    pub fn opt_uuid(&mut self) -> Result<Option<Uuid>, StoreError> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Uuid(uuid) => Ok(Some(uuid)),
            Value::Bytes(bytes) => {
                Uuid::from_slice(&bytes).map(Some).map_err(|_| Self::wrong("an id", &Value::Bytes(bytes)))
            }
            other => Err(Self::wrong("an id", &other)),
        }
    }
    pub fn uuid(&mut self) -> Result<Uuid, StoreError> {
        self.opt_uuid()?.ok_or_else(|| Self::wrong("an id", &Value::Null))
    }
    pub fn opt_digest(&mut self) -> Result<Option<Digest>, StoreError> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => match <[u8; 32]>::try_from(bytes.as_ref()) {
                Ok(bytes) => Ok(Some(Digest::from_bytes(bytes))),
                Err(_) => Err(Self::wrong("a digest", &Value::Bytes(bytes))),
            },
            other => Err(Self::wrong("a digest", &other)),
        }
    }
    pub fn digest(&mut self) -> Result<Digest, StoreError> {
        self.opt_digest()?.ok_or_else(|| Self::wrong("a digest", &Value::Null))
    }
    pub fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.int().map(Timestamp::from_micros)
    }
    pub fn opt_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_int()?.map(Timestamp::from_micros))
    }
    pub fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        serde_json::from_str(&self.text()?)
            .map_err(|error| StoreError::DatabaseDamaged(format!("a JSON column: {error}")))
    }
    pub fn opt_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let Some(text) = self.opt_text()? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| StoreError::DatabaseDamaged(format!("a JSON column: {error}")))
    }
    /// A column whose text is one of a closed list of names.
    pub fn named<T>(&mut self, by_name: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.text()?;
        by_name(&text).ok_or_else(|| Self::wrong("a known name", &Value::Text(Cow::Borrowed(""))))
    }
}

const fn shape(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Int(_) => "a number",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "bytes",
        Value::Uuid(_) => "an id",
        Value::Ints(_) | Value::Texts(_) | Value::Uuids(_) | Value::Blobs(_) => "a list",
    }
}
