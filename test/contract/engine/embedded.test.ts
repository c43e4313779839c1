import { describeEngine } from './engine-suite.js';
import { EngineFolder } from '../../support/engine-folder.js';

describeEngine('embedded', () => EngineFolder.create());
