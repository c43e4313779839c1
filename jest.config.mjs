// Jest runs what the compiler emitted (`npm run build:test` -> .build), so that worker threads, child processes and
// decorators behave in tests exactly as they do in production. Nothing is mocked on the way.
import './scripts/jest-esm.mjs';

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test', '<rootDir>/examples'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/soak/', '/fault/', '/browser/', '/conformance/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.test\\.ts$': '<rootDir>/scripts/jest-compiled.mjs' },
  globalSetup: '<rootDir>/scripts/jest-setup.mjs',
  // A test that hangs ends by itself: what it awaits has a limit of its own (10 s). This is for a machine that is busy.
  testTimeout: 90_000,
  // More than a small machine's two cores: much of a test is waiting, for a lease, a deadline or a process that starts.
  maxWorkers: 3,
};
