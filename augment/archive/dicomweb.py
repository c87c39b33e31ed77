"""An archive that speaks DICOMweb (PS3.18): STOW-RS to store, QIDO-RS to search."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydicom import Dataset, dcmread

from synthaug.augment.archive.instances import Answer, ArchiveError, Instance, judge
from synthaug.augment.errors import UsageError

if TYPE_CHECKING:
    from requests import Response, Session

log = logging.getLogger("synthaug")
# dicomweb-client's retries warn with a traceback, which would go to stderr: the error itself says it.
logging.getLogger("retrying").addHandler(logging.NullHandler())

USER, PASSWORD, TOKEN = "SYNTHAUG_DICOMWEB_USER", "SYNTHAUG_DICOMWEB_PASSWORD", "SYNTHAUG_DICOMWEB_TOKEN"
TIMEOUT = (10.0, 300.0)  # seconds to connect, and for an answer: an archive may index a request slowly
CANNOT_SEARCH = (400, 405, 501)


class DicomWeb:
    """A DICOMweb service.

    Credentials come from the environment: SYNTHAUG_DICOMWEB_USER and SYNTHAUG_DICOMWEB_PASSWORD (HTTP basic)
    or SYNTHAUG_DICOMWEB_TOKEN (bearer). https is TLS, checked against the system's certificates or those of
    REQUESTS_CA_BUNDLE.

    Args:
        url: of the service's root, such as https://pacs.example/dicom-web.

    Raises:
        UsageError: no such URL, credentials in it or half of them, or dicomweb-client is missing.
    """

    per_request = 50

    def __init__(self, url: str) -> None:
        self.address = url.rstrip("/")
        try:
            from dicomweb_client import DICOMwebClient
        except ImportError:
            raise UsageError(
                "--to-dicomweb needs dicomweb-client, not found: pip install 'synthaug[pacs]'"
            ) from None
        try:
            parts = urlsplit(self.address)
            _refuse_missing_certificates(parts.scheme)
            if parts.username or parts.password:
                raise UsageError(
                    f"--to-dicomweb: credentials in the URL, expected them in {USER} and {PASSWORD}"
                )
            # One piece per request, not chunked: some archives and proxies want to know its length.
            self._client: Any = DICOMwebClient(
                self.address,
                session=_session(parts.scheme, parts.hostname or ""),
                headers={"Accept": "application/dicom+json"},
                chunk_size=2**40,
                timeout=TIMEOUT,
            )
        except ValueError:
            raise UsageError(
                f"--to-dicomweb {url}: expected http(s)://host:port/path of a DICOMweb service"
            ) from None
        self._client.set_http_retry_params(retry=False)  # --resume goes on; waiting hides what is wrong

    @contextmanager
    def connected(self, instances: Sequence[Instance]) -> Iterator["DicomWeb"]:
        """HTTP needs no connection of its own."""
        from requests import RequestException

        try:
            yield self
        except RequestException as error:
            raise ArchiveError(_reason(error)) from error

    def instances_of(self, study: str, series: str) -> set[str] | None:
        """QIDO-RS, page by page (PS3.18 10.6): archives answer with as many at a time as they like."""
        from requests import HTTPError

        found: set[str] = set()
        while True:
            try:
                with _an_answer_of("QIDO-RS"):
                    page = self._client.search_for_instances(study, series, offset=len(found))
                    new = {str(row["00080018"]["Value"][0]) for row in page} - found
            except HTTPError as error:
                status = error.response.status_code if error.response is not None else None
                if status == 404:  # some say so of a study they do not have
                    return found
                if status in CANNOT_SEARCH:
                    return None
                raise
            if not new:
                return found
            found |= new

    def store(self, batch: Sequence[Instance]) -> Answer:
        """STOW-RS, the files as they are in one request (PS3.18 10.5)."""
        from requests import HTTPError

        datasets = [dcmread(file.path) for file in batch]
        try:
            with _an_answer_of("STOW-RS"):
                said: Dataset = self._client.store_instances(datasets)
        except HTTPError as error:  # 409: it took none of them, and says why of each
            answered = _outcomes(error.response)
            if answered is None:
                raise
            said = answered
        answer = Answer()
        with _an_answer_of("STOW-RS"):
            for item in said.get("FailedSOPSequence") or ():
                reason = int(item.get("FailureReason") or 0)
                judge(str(item.get("ReferencedSOPInstanceUID", "")), reason, "", answer)
            done = {str(item.ReferencedSOPInstanceUID) for item in said.get("ReferencedSOPSequence") or ()}
        for file in batch:
            if file.uid in done:
                answer.stored.append(file.uid)
            elif file.uid not in answer.known and file.uid not in answer.refused:
                answer.refused[file.uid] = "not among those acknowledged"
        return answer


@contextmanager
def _an_answer_of(service: str) -> Iterator[None]:
    """What is parsed here was said by a server, which may be no DICOMweb service, or an odd one."""
    from requests import RequestException

    try:
        yield
    except RequestException:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ArchiveError(f"no answer of {service} as PS3.18 has it, check the URL") from error


def _session(scheme: str, host: str) -> "Session":
    import requests

    user, password, token = (os.environ.get(name, "") for name in (USER, PASSWORD, TOKEN))
    token = token.strip()  # of the line end that a file of it has
    session = requests.Session()
    session.hooks["response"].append(_refuse_redirected_post)
    if token and user:
        raise UsageError(f"{USER} and {TOKEN} are both set: expected one, unset the other")
    if bool(user) != bool(password):
        raise UsageError(f"expected both {USER} and {PASSWORD} or none, found one: set or unset the other")
    if token and not re.fullmatch(r"[!-~]+", token):  # not shown: it is a secret
        raise UsageError(f"{TOKEN}: found a space or a letter beyond ASCII in it, expected a bearer token")
    if token:
        session.auth = _bearer(token)
    elif user:
        session.auth = requests.auth.HTTPBasicAuth(user.encode(), password.encode())
    if (token or user) and scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        log.warning("credentials go to %s unencrypted: use https", host)
    return session


def _refuse_missing_certificates(scheme: str) -> None:
    """requests raises an OSError of its own where the file is not there."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if scheme == "https" and bundle and not Path(bundle).exists():
        raise UsageError(f"REQUESTS_CA_BUNDLE: {bundle} not found, expected certificates there, or unset it")


def _refuse_redirected_post(response: "Response", *_: Any, **__: Any) -> None:
    """Followed, it would become a GET of a search, whose answer says nothing of what was to be stored."""
    if response.is_redirect and response.request.method == "POST":
        response.close()
        place = urlsplit(response.headers["location"])
        to = f"{place.netloc.rpartition('@')[2]}{place.path}"
        raise ArchiveError(f"it redirects what is to be stored to {_line(to)}, use the URL of its service")


def _bearer(token: str) -> Any:
    """As `auth`, not as a header: a header would give way to a ~/.netrc."""

    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _outcomes(response: "Response | None") -> Dataset | None:
    if response is None or response.status_code != 409:
        return None
    try:
        said = Dataset.from_json(response.json())
    except Exception:  # a page for people, or anything else
        return None
    return said if "FailedSOPSequence" in said else None


def _reason(error: Exception) -> str:
    """One line: status and the server's own words, or why there is no answer."""
    import requests

    if not isinstance(error, requests.HTTPError) or error.response is None:
        if isinstance(error, requests.Timeout):
            return "no answer in time"
        if isinstance(error, requests.exceptions.SSLError):
            return f"TLS failed ({_line(_innermost(error))}), check the certificate or REQUESTS_CA_BUNDLE"
        if isinstance(error, requests.ConnectionError):
            return f"no connection ({_line(_innermost(error))})"
        return f"expected a DICOMweb service ({_line(str(error))}), check the URL"
    response = error.response
    status = f"{response.status_code} {response.reason}"
    if words := _words(response):
        status += f" ({_line(words)})"
    if response.status_code in (401, 403):
        return f"{status}, set {USER} and {PASSWORD}, or {TOKEN}"
    return f"{status}, check the URL" if response.status_code == 404 else status


def _words(response: "Response") -> str:
    try:
        said = response.json()
    except ValueError:
        return "" if "<" in response.text else response.text
    if not isinstance(said, dict):
        return ""
    keys = ("Details", "Message", "errorMessage", "error", "message")
    return str(next((said[key] for key in keys if said.get(key)), ""))


def _innermost(error: BaseException) -> str:
    """The system's words, from under urllib3's."""
    seen: BaseException = error
    while (cause := seen.__cause__ or seen.__context__) is not None:
        seen = cause
    return getattr(seen, "strerror", None) or str(seen)


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
