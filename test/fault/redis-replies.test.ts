/** The reply of each script of the Redis engine is lost after it ran, in two ways. */
import { describeLostReplies } from '../support/lost-replies.js';
import { requireBinary } from '../support/system.js';

const describeWithRedis = requireBinary('redis-server');

describeWithRedis('the reply of a script is lost when the connection breaks:', () => describeLostReplies('cut', 2000));

describeWithRedis('the reply of a script is lost and nothing comes any more:', () => describeLostReplies('silence', 2000));
