-- The token that a session was begun with: it ends with its token, and may no more than it.
CREATE TABLE session_token (
  secret BYTEA PRIMARY KEY, token UUID NOT NULL
);
