#include <gmime/gmime.h>
#include <pthread.h>

#include "bw/mail.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

void bw_mail_init(void)
{
	pthread_once(&once, g_mime_init);
}
