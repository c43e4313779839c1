/**
 * The users whose data a call may read or change: `all` (back-end code, anonymous connections of open mode) or those
 * named. What lies outside the scope is `not_found`, exactly like what does not exist.
 */
export type Scope = 'all' | readonly string[];
