/**
 * How long other nodes wait for a node that does not say how far it has read its sockets: longer than any standstill that it
 * survives without being taken for dead. READING_LEASE_MS in `lua/includes/deadline-limits.lua` is the same value.
 */
export const READING_LEASE_MS = 15_000;
