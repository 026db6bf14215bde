// The agent for the synchronous Paho C client. The lines it understands and writes: ../agent.py.
#include <MQTTClient.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "paho_c.h"

static MQTTClient client;
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

static int on_message(void* context, char* topic, int topic_length, MQTTClient_message* message) {
  (void)context;
  say_message(topic, topic_length, message->qos, message->retained, message->payload, message->payloadlen,
              &message->properties);
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

static void do_connect(char** words, int count) {
  char uri[64];
  snprintf(uri, sizeof uri, "tcp://127.0.0.1:%s", words[1]);
  level = atoi(words[2]);
  atomic_store(&end_is_told, false);
  MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
  create.MQTTVersion = level;
  MQTTClient_createWithOptions(&client, uri, words[3], MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
  MQTTClient_setCallbacks(client, NULL, on_lost, on_message, NULL);
  if (level == 5) MQTTClient_setDisconnected(client, NULL, on_disconnected);

  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
  MQTTProperties properties = MQTTProperties_initializer;
  if (level == 5) {
    options = (MQTTClient_connectOptions)MQTTClient_connectOptions_initializer5;
    options.cleanstart = atoi(words[4]);
    add_session_expiry(&properties, words[5]);
  } else {
    options.cleansession = atoi(words[4]);
  }
  options.MQTTVersion = level;
  options.keepAliveInterval = atoi(words[6]);
  options.reliable = 0;

  MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
  char* payload = NULL;
  if (count > 10) {
    will.topicName = words[7];
    will.qos = atoi(words[8]);
    will.retained = atoi(words[9]);
    payload = payload_of(words[10], &will.payload.len);
    will.payload.data = payload;
    options.will = &will;
  }
  MQTTResponse response = MQTTResponse_initializer;
  if (level == 5) {
    response = MQTTClient_connect5(client, &options, &properties, NULL);
  } else {
    response.reasonCode = (enum MQTTReasonCodes)MQTTClient_connect(client, &options);
  }
  if (response.reasonCode != MQTTREASONCODE_SUCCESS) {
    say("refused %d", response.reasonCode);
  } else if (level == 4) {
    say("connected %d", options.returned.sessionPresent);
  } else {
    say("connected -");  // the library passes the flag on for 3.1.1 only
  }
  MQTTResponse_free(response);
  MQTTProperties_free(&properties);
  free(payload);
}

static void do_subscribe(char** words) {
  int qos = atoi(words[2]);
  char* const filters[] = {words[1]};
  if (level == 5) {
    MQTTResponse response = MQTTClient_subscribe5(client, words[1], qos, NULL, NULL);
    say("subscribed %d", response.reasonCode);
    MQTTResponse_free(response);
  } else {
    const int result = MQTTClient_subscribeMany(client, 1, filters, &qos);
    say("subscribed %d", result == MQTTCLIENT_SUCCESS ? qos : result);
  }
}

static void do_unsubscribe(char** words) {
  int result = 0;
  if (level == 5) {
    MQTTResponse response = MQTTClient_unsubscribe5(client, words[1], NULL);
    result = (int)response.reasonCode;
    MQTTResponse_free(response);
  } else {
    result = MQTTClient_unsubscribe(client, words[1]);
  }
  if (result == 0) {
    say("unsubscribed");
  } else {
    say("error unsubscribe %d", result);
  }
}

static void do_publish(char** words, int count) {
  MQTTClient_message message = MQTTClient_message_initializer;
  char* payload = payload_of(words[4], &message.payloadlen);
  message.payload = payload;
  message.qos = atoi(words[2]);
  message.retained = atoi(words[3]);
  if (count > 5) add_user_property(&message.properties, words[5]);
  MQTTClient_deliveryToken token = 0;
  int result = 0;
  if (level == 5) {
    MQTTResponse response = MQTTClient_publishMessage5(client, words[1], &message, &token);
    result = (int)response.reasonCode;
    MQTTResponse_free(response);
  } else {
    result = MQTTClient_publishMessage(client, words[1], &message, &token);
  }
  if (result == 0) result = MQTTClient_waitForCompletion(client, token, CALL_TIMEOUT_MS);
  say("published %d", result);
  MQTTProperties_free(&message.properties);
  free(payload);
}

static void do_disconnect(void) {
  if (level == 5) {
    MQTTClient_disconnect5(client, CALL_TIMEOUT_MS, MQTTREASONCODE_NORMAL_DISCONNECTION, NULL);
  } else {
    MQTTClient_disconnect(client, CALL_TIMEOUT_MS);
  }
  MQTTClient_destroy(&client);
  say("disconnected -");
}

int main(void) {
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    char* words[WORDS_MAX];
    const int count = split(line, words);
    if (count == 0) continue;
    if (strcmp(words[0], "connect") == 0) do_connect(words, count);
    if (strcmp(words[0], "subscribe") == 0) do_subscribe(words);
    if (strcmp(words[0], "unsubscribe") == 0) do_unsubscribe(words);
    if (strcmp(words[0], "publish") == 0) do_publish(words, count);
    if (strcmp(words[0], "disconnect") == 0) do_disconnect();
  }
  return 0;
}
