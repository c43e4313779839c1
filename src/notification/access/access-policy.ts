/**
 * The application's own rules on top of "everybody has what is theirs", in secure mode.
 */
export interface AccessPolicy {
  /** Other users whose prompts and tasks this user may see, answer and cancel: groups, roles, stand-ins. @default none */
  actsFor?(userId: string): Promise<readonly string[]>;
  /** Whether the user may subscribe to a channel of the application's own. @default no */
  maySubscribe?(userId: string, channel: string): Promise<boolean>;
}
