// The agent for the asynchronous Paho C client. The lines it understands and writes: ../agent.py.
// Commands return at once; every answer is written by a callback on a thread of the library.
#include <MQTTAsync.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "paho_c.h"

static MQTTAsync client;
static int level;
static atomic_bool end_is_told;  // one line per connection, whichever callback comes first

static void on_lost(void* context, char* cause) {
  (void)context, (void)cause;
  if (!atomic_exchange(&end_is_told, true)) say("disconnected -");
}

static void on_disconnected(void* context, MQTTProperties* properties, enum MQTTReasonCodes reason) {
  (void)context, (void)properties;
  if (!atomic_exchange(&end_is_told, true)) say("disconnected %d", reason);
}

static int on_message(void* context, char* topic, int topic_length, MQTTAsync_message* message) {
  (void)context;
  say_message(topic, topic_length, message->qos, message->retained, message->payload, message->payloadlen,
              &message->properties);
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

static void say_connected(int session_present) {
  if (level == 3) {
    say("connected -");
  } else {
    say("connected %d", session_present);
  }
}

static void connected(void* context, MQTTAsync_successData* data) {
  (void)context;
  say_connected(data->alt.connect.sessionPresent);
}
static void connected5(void* context, MQTTAsync_successData5* data) {
  (void)context;
  say_connected(data->alt.connect.sessionPresent);
}
static void refused(void* context, MQTTAsync_failureData* data) {
  (void)context;
  say("refused %d", data ? data->code : -1);
}
static void refused5(void* context, MQTTAsync_failureData5* data) {
  (void)context;
  say("refused %d", data->reasonCode ? (int)data->reasonCode : data->code);
}

static void subscribed(void* context, MQTTAsync_successData* data) {
  (void)context;
  say("subscribed %d", data->alt.qos);
}
static void subscribed5(void* context, MQTTAsync_successData5* data) {
  (void)context;
  say("subscribed %d", data->reasonCode);
}
static void not_subscribed(void* context, MQTTAsync_failureData* data) {
  (void)context;
  say("subscribed %d", data ? data->code : -1);
}
static void not_subscribed5(void* context, MQTTAsync_failureData5* data) {
  (void)context;
  say("subscribed %d", data->reasonCode);
}

static void unsubscribed(void* context, MQTTAsync_successData* data) {
  (void)context, (void)data;
  say("unsubscribed");
}
static void unsubscribed5(void* context, MQTTAsync_successData5* data) {
  (void)context, (void)data;
  say("unsubscribed");
}

static void published(void* context, MQTTAsync_successData* data) {
  (void)context, (void)data;
  say("published 0");
}
static void published5(void* context, MQTTAsync_successData5* data) {
  (void)context;
  say("published %d", data->reasonCode);
}

static void failed(void* context, MQTTAsync_failureData* data) {
  say("error %s %d", (const char*)context, data ? data->code : -1);
}
static void failed5(void* context, MQTTAsync_failureData5* data) {
  say("error %s %d", (const char*)context, data->reasonCode);
}

static void disconnected(void* context, MQTTAsync_successData* data) {
  (void)context, (void)data;
  say("disconnected -");
}
static void disconnected5(void* context, MQTTAsync_successData5* data) {
  (void)context, (void)data;
  say("disconnected -");
}

static void do_connect(char** words, int count) {
  char uri[64];
  snprintf(uri, sizeof uri, "tcp://127.0.0.1:%s", words[1]);
  level = atoi(words[2]);
  atomic_store(&end_is_told, false);
  if (client) MQTTAsync_destroy(&client);
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  create.MQTTVersion = level;
  MQTTAsync_createWithOptions(&client, uri, words[3], MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
  MQTTAsync_setCallbacks(client, NULL, on_lost, on_message, NULL);
  if (level == 5) MQTTAsync_setDisconnected(client, NULL, on_disconnected);

  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  MQTTProperties properties = MQTTProperties_initializer;
  if (level == 5) {
    options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer5;
    options.cleanstart = atoi(words[4]);
    add_session_expiry(&properties, words[5]);
    options.connectProperties = &properties;
    options.onSuccess5 = connected5;
    options.onFailure5 = refused5;
  } else {
    options.cleansession = atoi(words[4]);
    options.onSuccess = connected;
    options.onFailure = refused;
  }
  options.MQTTVersion = level;
  options.keepAliveInterval = atoi(words[6]);

  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  char* payload = NULL;
  if (count > 10) {
    will.topicName = words[7];
    will.qos = atoi(words[8]);
    will.retained = atoi(words[9]);
    payload = payload_of(words[10], &will.payload.len);
    will.payload.data = payload;
    options.will = &will;
  }
  const int result = MQTTAsync_connect(client, &options);
  if (result != MQTTASYNC_SUCCESS) say("error connect %d", result);
  MQTTProperties_free(&properties);
  free(payload);
}

static MQTTAsync_responseOptions answers(const char* what) {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.context = (void*)what;
  if (level == 5) {
    options.onFailure5 = failed5;
  } else {
    options.onFailure = failed;
  }
  return options;
}

static int do_subscribe(char** words) {
  MQTTAsync_responseOptions options = answers("subscribe");
  if (level == 5) {
    options.onSuccess5 = subscribed5;
    options.onFailure5 = not_subscribed5;
  } else {
    options.onSuccess = subscribed;
    options.onFailure = not_subscribed;
  }
  return MQTTAsync_subscribe(client, words[1], atoi(words[2]), &options);
}

static int do_unsubscribe(char** words) {
  MQTTAsync_responseOptions options = answers("unsubscribe");
  if (level == 5) {
    options.onSuccess5 = unsubscribed5;
  } else {
    options.onSuccess = unsubscribed;
  }
  return MQTTAsync_unsubscribe(client, words[1], &options);
}

static int do_publish(char** words, int count) {
  MQTTAsync_message message = MQTTAsync_message_initializer;
  char* payload = payload_of(words[4], &message.payloadlen);
  message.payload = payload;
  message.qos = atoi(words[2]);
  message.retained = atoi(words[3]);
  if (count > 5) add_user_property(&message.properties, words[5]);
  MQTTAsync_responseOptions options = answers("publish");
  if (level == 5) {
    options.onSuccess5 = published5;
  } else {
    options.onSuccess = published;
  }
  const int result = MQTTAsync_sendMessage(client, words[1], &message, &options);
  MQTTProperties_free(&message.properties);
  free(payload);
  return result;
}

static int do_disconnect(void) {
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  if (level == 5) {
    options = (MQTTAsync_disconnectOptions)MQTTAsync_disconnectOptions_initializer5;
    options.onSuccess5 = disconnected5;
  } else {
    options.onSuccess = disconnected;
  }
  options.timeout = CALL_TIMEOUT_MS;
  return MQTTAsync_disconnect(client, &options);
}

int main(void) {
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    char* words[WORDS_MAX];
    const int count = split(line, words);
    if (count == 0) continue;
    int result = MQTTASYNC_SUCCESS;
    if (strcmp(words[0], "connect") == 0) do_connect(words, count);
    if (strcmp(words[0], "subscribe") == 0) result = do_subscribe(words);
    if (strcmp(words[0], "unsubscribe") == 0) result = do_unsubscribe(words);
    if (strcmp(words[0], "publish") == 0) result = do_publish(words, count);
    if (strcmp(words[0], "disconnect") == 0) result = do_disconnect();
    if (result != MQTTASYNC_SUCCESS) say("error %s %d", words[0], result);
  }
  return 0;
}
