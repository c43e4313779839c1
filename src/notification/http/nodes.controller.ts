/** `GET /ws/nodes`: every node of the cluster, for operators. */
import { Get, Inject } from '@nestjs/common';
import { ApiTags } from './api-docs.js';
import { Engine } from '../engine/engine.js';
import { mergeCounts, type NodeCounts } from '../metrics/node-report.js';
import { ApiDocs } from './decorators/api-docs.decorator.js';
import { RequirePermission } from './decorators/require-permission.decorator.js';
import { RestController } from './decorators/rest-controller.decorator.js';
import { NodesResponse } from './dto/responses/nodes.dto.js';

@ApiTags('operations')
@RestController('ws/nodes')
export class NodesController {
  constructor(@Inject(Engine) private readonly engine: Engine) {}

  @ApiDocs({
    summary: 'Every node of the cluster, with its counts',
    description: 'Counters count since the node started. The counts of other nodes are a few seconds old.',
    answers: { 200: { type: NodesResponse, description: 'The nodes, in the order of their names.' } },
  })
  @Get()
  @RequirePermission('status.read')
  async list(): Promise<NodesResponse> {
    const byNode = new Map<string, NodeCounts[]>();
    for (const { node, report } of await this.engine.reports()) {
      const workers = byNode.get(node) ?? [];
      byNode.set(node, [...workers, JSON.parse(report) as NodeCounts]);
    }
    const nodes = [...byNode].map(([node, workers]) => ({ node, workers: workers.length, ...mergeCounts(workers) }));
    return { nodes: nodes.sort((a, b) => (a.node < b.node ? -1 : 1)) };
  }
}
