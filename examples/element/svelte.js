/* global document */
import { mount } from 'svelte';
import Inbox from './Inbox.svelte';

const target = document.getElementById('app');
mount(Inbox, { target, props: { url: target.dataset.url } });
