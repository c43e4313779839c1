// Jest runs what the compiler emitted (`npm run build:test` -> .build), so that worker threads, child processes and
// decorators behave in tests exactly as they do in production. Nothing is transformed or mocked on the way.
export default {
  rootDir: '.build/test',
  testEnvironment: 'node',
  testMatch: ['**/*.test.js'],
  testPathIgnorePatterns: ['/soak/', '/fault/'],
  transform: {},
  testTimeout: 20_000,
  maxWorkers: 2,
};
