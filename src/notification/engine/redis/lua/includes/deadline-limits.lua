-- The same values as IN_TIME_MS and READING_LEASE_MS in TypeScript; a test compares them.
-- A deadline that is applied later than this was missed.
local IN_TIME_MS = 2500
-- How long a silent node is waited for: longer than any standstill that it survives without being taken for dead.
local READING_LEASE_MS = 15000
-- One missed sweep, and half of the next.
local SWEEPING_MS = 1500
