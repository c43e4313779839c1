/** Names what a route does. The policy has a rule for each name; a route without one is refused. */
import { SetMetadata } from '@nestjs/common';
import type { RoutePermission } from '../../access/access.js';

export const PERMISSION = 'notification:permission';

export const RequirePermission = (permission: RoutePermission): MethodDecorator => SetMetadata(PERMISSION, permission);
