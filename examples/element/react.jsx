/** React 19 sets the element's properties, and `ondecided` listens to its event `decided`. */
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import 'websocket-manager/element';

function App({ url }) {
  const [outcome, setOutcome] = useState('nothing yet');
  return (
    <>
      <notification-inbox url={url} userId="ann" ondecided={({ detail }) => setOutcome(detail.outcome)} />
      <output>Last decided: {outcome}</output>
    </>
  );
}

const root = document.getElementById('app');
createRoot(root).render(<App url={root.dataset.url} />);
