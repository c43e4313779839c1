// Jest runs what the compiler emitted (`npm run build:test` -> .build), so that worker threads, child processes and
// decorators behave in tests exactly as they do in production. Nothing is mocked on the way.
import './scripts/jest-esm.mjs';

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test', '<rootDir>/examples'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/soak/', '/fault/', '/browser/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.test\\.ts$': '<rootDir>/scripts/jest-compiled.mjs' },
  globalSetup: '<rootDir>/scripts/jest-setup.mjs',
  testTimeout: 20_000,
  maxWorkers: 2,
};
