/** Loaded into a server under measurement: tells its processor time to whoever started it. */
process.on('message', () => process.send?.(process.cpuUsage()));
process.channel?.unref();
