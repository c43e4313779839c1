// Type-aware lint rules. Formatting is prettier's; who may import whom is dependency-cruiser's; unused exports are knip's.
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const scripts = ['**/*.mjs', '**/*.cjs', '**/*.js'];
const tests = ['test/**/*.ts'];

export default defineConfig(
  globalIgnores(['dist/', '.build/', 'coverage/', 'data/', 'bench/node_modules/', 'examples/**/node_modules/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  // Apps with packages and types of their own.
  { files: ['examples/apps/**/*.ts'], extends: [tseslint.configs.recommended] },
  {
    files: ['**/*.ts'],
    ignores: ['examples/apps/**'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: ['./tsconfig.json', './tsconfig.page.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Says nothing in files with decorators: there Nest needs the class itself, not its type, to inject it.
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Nest's modules are classes with nothing in them but a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true, allowEmpty: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
      // An interface promises a promise; not every implementation has something to await.
      '@typescript-eslint/require-await': 'off',
      // A handler may be synchronous or not: `void | Promise<void>`.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Nest's own types contain `any`.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      // Takes every class of options for one whose instances matter.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  {
    // A test that fakes time must not stop the module: see pacing/time-source.ts, which these names are imported from.
    files: ['src/notification/**/*.ts', 'src/testing/**/*.ts'],
    ignores: ['src/notification/pacing/time-source.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'performance', 'Date'],
      ],
      'no-restricted-properties': ['error', { object: 'process', property: 'hrtime' }],
      'no-restricted-imports': ['error', 'node:timers', 'node:timers/promises', 'node:perf_hooks', 'timers', 'timers/promises'],
    },
  },
  {
    // Tests and examples reach for odd values on purpose, and print.
    files: [...tests, 'examples/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'no-console': 'off',
    },
  },
  {
    files: scripts,
    languageOptions: {
      globals: {
        console: 'readonly',
        process: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        AbortSignal: 'readonly',
        module: 'writable',
      },
    },
  },
  {
    files: ['bench/**/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'AbortController',
          'Buffer',
          'performance',
          'setImmediate',
          'setInterval',
          'clearInterval',
          'setTimeout',
          'clearTimeout',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
);
