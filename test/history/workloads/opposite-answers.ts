/**
 * Devices of one user on different nodes that answer in opposite ways at once, while two callers on two nodes wait, a
 * device on a third looks on and somebody reads by REST. Who wins is counted; that all agree is the checker's to say.
 */
import type { Recorder } from '../recorder.js';
import { askByRest, Device, effective, readByRest, type Asked, type PromptFrame } from '../recorded-client.js';
import type { RedisSite } from '../sites/nodes-on-redis.js';

export interface Opposite {
  count: number;
  /** How many answer each question. */
  devices: number;
  /** Questions under way at once. @default 16 */
  lanes?: number;
  /** The first question's number: another run on the same site has others. @default 0 */
  firstQuestion?: number;
}

export interface OppositeScore {
  /** How often each device won. */
  wins: number[];
  /** Questions of which not exactly one answer was accepted. */
  notOne: number;
  /** Questions of which somebody was not delivered in time, after which the lane ended. */
  unheard: number;
}

/** Nothing is awaited longer; the checker says what did not come. */
const PATIENCE_MS = 20_000;

export async function answerOppositeWays(
  site: RedisSite,
  recorder: Recorder,
  { count, devices, lanes = 16, firstQuestion = 0 }: Opposite,
): Promise<OppositeScore> {
  const { nodes } = site;
  const score: OppositeScore = { wins: Array.from({ length: devices }, () => 0), notOne: 0, unheard: 0 };
  const at = (index: number) => nodes[index % nodes.length]!;
  let next = 0;

  const lane = async (number: number): Promise<void> => {
    const userId = `opposed-${firstQuestion}-${number}`;
    const members: Device[] = [];
    for (let index = 0; index <= devices; index += 1) members.push(await Device.connect(recorder, at(number + index), userId));
    const answering = members.slice(0, devices);
    const lookingOn = members[devices]!;
    while (next < count) {
      const question = firstQuestion + ++next;
      const asked: Asked = {
        question,
        userId,
        taskId: `opposed-task-${question}`,
        key: `key-${question}`,
        timeoutMs: null,
        onTimeoutBySetting: 'proceed',
      };
      const shown = members.map((device) => new Promise<PromptFrame>((resolve) => (device.onPrompt = resolve)));
      const resolved = new Promise<string>((resolve) => (lookingOn.onResolved = resolve));
      const round = async (): Promise<void> => {
        const callers = [0, 1].map((index) => askByRest(recorder, at(question + index), asked));
        const [prompt] = await Promise.all(shown);
        const callbackId = prompt!.callback_id;
        const accepted: boolean[] = [];
        const answer = async (index: number): Promise<void> => {
          // With a word of its own no answer repeats another.
          const given = { proceed: index % 2 === 0, ...(devices > 2 && { feedback: `device ${index}` }) };
          accepted[index] = await answering[index]!.answer(callbackId, given, effective(given));
        };
        // Each is the first to send in its turn.
        await Promise.all(answering.map((_, place) => answer((place + question) % devices)));
        if (accepted.filter(Boolean).length !== 1) score.notOne += 1;
        score.wins[accepted.indexOf(true)]! += 1;
        await Promise.all([...callers, resolved, readByRest(recorder, at(question + 2), callbackId)]);
      };
      if (!(await isDoneInTime(round()))) {
        score.unheard += 1;
        break;
      }
    }
    for (const device of members) await device.leave();
  };

  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return score;
}

async function isDoneInTime(work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), PATIENCE_MS)));
  const done = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return done;
}
