/* global document */
/** Vue sets the element's properties, and `onDecided` listens to its event `decided`. */
import { createApp, h, ref } from 'vue';
import 'websocket-manager/element';

const root = document.getElementById('app');
const { url } = root.dataset;

createApp({
  setup() {
    const outcome = ref('nothing yet');
    const onDecided = ({ detail }) => (outcome.value = detail.outcome);
    return () => [h('notification-inbox', { url, userId: 'ann', onDecided }), h('output', `Last decided: ${outcome.value}`)];
  },
}).mount(root);
