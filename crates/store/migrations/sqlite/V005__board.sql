-- One writer numbers every entry at once: nothing waits.
SELECT 1;
