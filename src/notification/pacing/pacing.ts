/** What all connections of a node share of its event loop. */
import { Injectable } from '@nestjs/common';
import { BufferJoiner } from './buffer-joiner.js';
import { TimeSlices } from './time-slices.js';
import { WriteScheduler } from './write-scheduler.js';

@Injectable()
export class Pacing {
  readonly writes = new WriteScheduler();
  readonly joiner = new BufferJoiner();
  readonly slices = new TimeSlices();
}
