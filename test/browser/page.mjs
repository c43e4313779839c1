/** What runs inside pages of the browser suite. */
/* global document, navigator, XMLHttpRequest, EventSource, WebSocket, Blob, URLSearchParams */

/** What runs inside the page. `base` is the service, `id` a pending prompt. */
globalThis.attack = async function attack({ base, id }) {
  const results = {};
  const attempt = async (name, act) => {
    results[name] = { read: await act().catch(() => null) };
  };
  const text = async (path, init) => {
    const response = await fetch(base + path, init);
    return response.type === 'opaque' ? null : response.text();
  };
  const answer = `/ws/confirmations/${id}/answer`;
  const yes = '{"proceed":true}';
  const json = { 'content-type': 'application/json' };
  await attempt('a read', () => text('/ws/status'));
  await attempt('a read of the inbox', () => text('/ws/users/ann/confirmations'));
  await attempt('a read without CORS', () => text(`/ws/confirmations/${id}`, { mode: 'no-cors' }));
  await attempt('a read of health', () => text('/health/live'));
  await attempt('an answer in JSON', () => text(answer, { method: 'POST', headers: json, body: yes }));
  await attempt('an answer as text', () => text(answer, { method: 'POST', body: yes }));
  await attempt('an answer without CORS', () => text(answer, { method: 'POST', body: yes, mode: 'no-cors' }));
  await attempt('an answer as a form', () =>
    text(answer, { method: 'POST', body: new URLSearchParams({ proceed: 'true' }), mode: 'no-cors' }),
  );
  await attempt('an answer without a body', () => text(answer, { method: 'POST', mode: 'no-cors' }));
  await attempt('an answer as a blob', () =>
    text(answer, { method: 'POST', body: new Blob([yes], { type: 'application/json' }), mode: 'no-cors' }),
  );
  await attempt('a beacon', () => {
    navigator.sendBeacon(base + answer, new Blob([yes], { type: 'text/plain' }));
    return Promise.resolve(null);
  });
  await attempt('a withdrawal', () => text(`/ws/confirmations/${id}`, { method: 'DELETE' }));
  await attempt('a cancellation', () => text('/ws/tasks/task/cancel', { method: 'POST' }));
  await attempt('a cancellation without CORS', () => text('/ws/tasks/task/cancel', { method: 'POST', mode: 'no-cors' }));
  await attempt('a broadcast', () => text('/ws/broadcast', { method: 'POST', headers: json, body: '{"type":"evil"}' }));
  await attempt('a broadcast as text', () => text('/ws/broadcast', { method: 'POST', body: '{"type":"evil"}', mode: 'no-cors' }));
  await attempt(
    'an XMLHttpRequest',
    () =>
      new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.onload = () => resolve(request.responseText);
        request.onerror = () => reject(new Error('refused'));
        request.open('GET', `${base}/ws/status`);
        request.send();
      }),
  );
  for (const path of ['/ws', '/', '/ws/']) {
    await attempt(
      `a WebSocket at ${path}`,
      () =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(base.replace('http', 'ws') + path);
          socket.onopen = () => {
            socket.send(JSON.stringify({ action: 'confirm', callback_id: id, proceed: true }));
            socket.send(JSON.stringify({ action: 'cancel', user_id: 'ann', task_id: 'task' }));
          };
          socket.onmessage = ({ data }) => resolve(String(data));
          socket.onclose = () => reject(new Error('refused'));
        }),
    );
  }
  await attempt(
    'an EventSource',
    () =>
      new Promise((resolve, reject) => {
        const source = new EventSource(`${base}/ws/status`);
        source.onmessage = ({ data }) => resolve(String(data));
        source.onopen = () => resolve('open');
        source.onerror = () => {
          source.close();
          reject(new Error('refused'));
        };
      }),
  );
  const element = (name, path) =>
    new Promise((resolve, reject) => {
      const created = document.createElement(name);
      created.onload = () => resolve('loaded');
      created.onerror = () => reject(new Error('refused'));
      created.src = base + path;
      document.body.append(created);
    });
  await attempt('an image', () => element('img', '/ws/status'));
  await attempt('a script', () => element('script', '/ws/status').then(() => null));
  // A form's answer goes to a frame, which the page cannot look into.
  for (const enctype of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
    await attempt(`a form as ${enctype}`, async () => {
      const frame = document.createElement('iframe');
      frame.name = enctype;
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', enctype, action: base + answer, target: enctype });
      const field = document.createElement('input');
      field.name = enctype === 'text/plain' ? '{"proceed":true,"feedback":"' : 'proceed';
      field.value = enctype === 'text/plain' ? '"}' : 'true';
      form.append(field);
      document.body.append(frame, form);
      const loaded = new Promise((resolve) => (frame.onload = resolve));
      form.submit();
      await loaded;
      return frame.contentDocument?.body.textContent || null;
    });
  }
  await attempt('a frame of a page', async () => {
    const frame = document.createElement('iframe');
    frame.src = `${base}/docs`;
    const loaded = new Promise((resolve) => (frame.onload = resolve));
    document.body.append(frame);
    await loaded;
    return frame.contentDocument?.body.textContent || null;
  });
  return results;
};

/** What a page that may use the service does: asks by REST, and answers as the user by WebSocket. */
globalThis.work = async function work({ base }) {
  const { status } = await fetch(`${base}/ws/status`);
  const socket = new WebSocket(`${base.replace('http', 'ws')}/ws`);
  const replies = [];
  const confirmed = new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error('the WebSocket was refused'));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data));
      replies.push(message.type);
      if (message.type === 'task_step_result')
        socket.send(JSON.stringify({ action: 'confirm', callback_id: message.callback_id, proceed: true }));
      if (message.type === 'confirmation_accepted') resolve();
    };
  });
  await new Promise((resolve) => (socket.onopen = resolve));
  socket.send(JSON.stringify({ action: 'subscribe', user_id: 'bea' }));
  const asked = await fetch(`${base}/ws/confirmations?wait=10`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': String(Math.random()) },
    body: JSON.stringify({ user_id: 'bea', task_id: String(Math.random()), step: 1, step_result: { message: '?' } }),
  });
  await confirmed;
  socket.close();
  const { state, proceed } = await asked.json();
  return { status, decision: `${state} ${proceed}`, reply: replies.at(-1) ?? '' };
};

/** @returns a frame without an origin, in this page */
globalThis.sandbox = async function sandbox() {
  const frame = document.createElement('iframe');
  frame.sandbox.add('allow-scripts', 'allow-forms');
  frame.srcdoc = '<!doctype html><body></body>';
  const loaded = new Promise((resolve) => (frame.onload = resolve));
  document.body.append(frame);
  await loaded;
  return frame;
};
