/** The places of one worker's connections, which the process that started it counts over all workers. */
import { NotificationError, type PlaceKind, type WorkerGroup } from '../notification/index.js';
import { CountedPlace } from '../notification/service-door.js';
import type { PrimaryLink } from './primary-link.js';
import { NODE_NAME } from './worker-messages.js';

export class WorkerPlaces implements WorkerGroup {
  readonly nodeName = process.env[NODE_NAME] ?? String(process.ppid);
  private readonly places = new Map<number, CountedPlace>();

  constructor(private readonly link: PrimaryLink) {
    link.on('node:give-way', (id) => {
      const place = this.places.get(id);
      this.places.delete(id);
      place?.displace();
    });
  }

  async takePlace(kind: PlaceKind): Promise<CountedPlace | undefined> {
    const id = this.link.newId();
    const release = (): void => {
      if (this.places.delete(id)) this.link.send({ type: 'node:release-place', id });
    };
    const place = new CountedPlace(release);
    // It may have to give way before the caller has it.
    this.places.set(id, place);
    const answer = await this.link.request({ type: 'node:take-place', id, kind }, 'node:place');
    if (answer?.isTaken) return place;
    // Without an answer it may still be given.
    if (answer) this.places.delete(id);
    else release();
    return undefined;
  }

  async countConnections(): Promise<number> {
    const answer = await this.link.request({ type: 'node:count-connections', id: this.link.newId() }, 'node:connections');
    if (!answer) throw new NotificationError('UNAVAILABLE', 'the process that started this worker does not answer');
    return answer.count;
  }
}
