//! The HTTP side: paths, keys, counting, and who answers what.

mod answer;
pub(crate) mod damage;
mod dimensions;
mod events;
mod generated;
mod holdings;
mod parameters;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use jiff::{civil, tz::TimeZone};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::calendar::{self, CLICK_DAYS, Span};
use super::faults::{Faults, PageFault, Replacement, Strikes};
use super::google::Google;
use super::marketo::Marketo;
use super::wire::{self, SECRET_MARKER};
pub(crate) use answer::Page;
use answer::{PageRequest, Refusal};
pub(crate) use dimensions::{DimensionQuery, DimensionStream, any};
pub(crate) use events::{EventQuery, EventStream};
pub(crate) use generated::{Slice, Work, items, row_has_fields};
pub(crate) use holdings::Holdings;
use parameters::Parameters;

/// Everything a request needs.
#[derive(Debug)]
pub(crate) struct Server {
    pub holdings: Holdings,
    pub marketo: Marketo,
    pub google: Google,
    /// Now, in seconds since 1970 UTC.
    pub clock: AtomicI64,
    pub admin_key: SecretString,
    pub affiliate_key: SecretString,
    /// Clicks of all days can be read.
    pub all_clicks: bool,
    pub faults: Faults,
    pub stop: CancellationToken,
    pub work: Work,
    pub requests: AtomicU64,
    pub requests_by_path: Mutex<BTreeMap<String, u64>>,
}

/// Whose key a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Admin,
    Affiliate,
}

/// What a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Me,
    Dimension(DimensionStream),
    One(DimensionStream, String),
    OffersCount,
    Managers,
    Events(EventStream),
    OneConversion,
}

impl Route {
    /// Reads a path. Anything else, a double slash included, is not found.
    fn find(path: &str) -> Option<Self> {
        use DimensionStream::{Advertisers, Affiliates, Offers};
        let one = |stream, id: &str| {
            (!id.is_empty() && !id.contains('/')).then(|| Self::One(stream, id.to_owned()))
        };
        match path {
            "/3.1/user/me" => Some(Self::Me),
            "/3.0/offers" => Some(Self::Dimension(Offers)),
            "/3.0/offers/count" => Some(Self::OffersCount),
            "/3.0/admin/partners" => Some(Self::Dimension(Affiliates)),
            "/3.0/admin/advertisers" => Some(Self::Dimension(Advertisers)),
            "/3.0/admin/users" => Some(Self::Managers),
            "/3.0/stats/conversions" => Some(Self::Events(EventStream::Conversions)),
            "/3.0/stats/conversionsbyid" => Some(Self::OneConversion),
            "/3.0/stats/clicks" => Some(Self::Events(EventStream::Clicks)),
            _ => {
                if let Some(id) = path.strip_prefix("/3.0/offer/") {
                    one(Offers, id)
                } else if let Some(id) = path.strip_prefix("/3.0/admin/partner/") {
                    one(Affiliates, id)
                } else {
                    path.strip_prefix("/3.0/admin/advertiser/")
                        .and_then(|id| one(Advertisers, id))
                }
            }
        }
    }

    /// Whether an affiliate's key is turned away.
    fn is_admin_only(&self) -> bool {
        use DimensionStream::{Advertisers, Affiliates};
        matches!(
            self,
            Self::Dimension(Affiliates | Advertisers)
                | Self::One(Affiliates | Advertisers, _)
                | Self::Managers
                | Self::Events(EventStream::Clicks)
        )
    }
}

/// Answers one request.
pub(crate) async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let number = server.count(&path);
    let strikes = server
        .faults
        .strikes(&path, number, asks_for_later_page(&request));
    if strikes.late_status {
        server.holdings.change_some_status(server.now(), number);
    }
    if !strikes.delay.is_zero() {
        // A simulator that is told to stop does not finish waiting.
        let _ = server
            .stop
            .run_until_cancelled(tokio::time::sleep(strikes.delay))
            .await;
    }
    if let Some(Replacement::Instead(kind)) = strikes.replacement {
        return damage::instead(kind);
    }
    // Listings are computed, not awaited; a worker thread of the runtime must not do that.
    let answered =
        tokio::task::spawn_blocking(move || server.answer(&path, &request, strikes)).await;
    match (
        answered.unwrap_or(Err(Refusal::ServerError)),
        strikes.replacement,
    ) {
        (Ok(body), Some(Replacement::Damaged(kind))) => damage::damaged(kind, body),
        (Ok(body), _) => answer::json(StatusCode::OK, body),
        (Err(refusal), _) => answer::json(refusal.status(), answer::error_body(refusal.message())),
    }
}

fn asks_for_later_page(request: &Request) -> bool {
    let parameters = Parameters::parse(request.uri().query().unwrap_or("")).unwrap_or_default();
    matches!(parameters.positive("page"), Ok(Some(page)) if page > 1)
}

impl Server {
    /// Counts a request; returns its number, from 1.
    pub(crate) fn count(&self, path: &str) -> u64 {
        let mut by_path = self
            .requests_by_path
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *by_path.entry(path.to_owned()).or_default() += 1;
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn today(&self) -> civil::Date {
        calendar::day_of(self.now())
    }

    /// The body of a good answer, or why there is none.
    fn answer(&self, path: &str, request: &Request, strikes: Strikes) -> Result<String, Refusal> {
        let route = Route::find(path).ok_or(Refusal::NotFound("Not Found"))?;
        let parameters = Parameters::parse(request.uri().query().unwrap_or(""))?;
        let header = request
            .headers()
            .get("api-key")
            .and_then(|value| value.to_str().ok());
        let role = self
            .role(header.or(parameters.key()))
            .ok_or(Refusal::NoToken)?;
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Refusal::NotARead);
        }
        if role == Role::Affiliate && route.is_admin_only() {
            return Err(Refusal::Denied);
        }
        match route {
            Route::Me => Ok(me(role)),
            Route::Dimension(stream) => self.dimension(stream, role, &parameters, strikes.page),
            Route::One(stream, id) => self.one(stream, &id, role),
            Route::OffersCount => Ok(format!(r#"{{"status":1,"count":{}}}"#, self.count_offers())),
            Route::Managers => self.managers(&parameters),
            Route::Events(stream) => self.events(stream, role, &parameters, strikes.page),
            Route::OneConversion => self.one_conversion(&parameters),
        }
    }

    /// Seven days back from today; the limit counts in the zone that was asked for.
    fn readable_clicks(&self, zone: &TimeZone) -> Span {
        let oldest = calendar::shift(self.today(), -i64::from(CLICK_DAYS));
        Span {
            start: Span::days(oldest, oldest, zone).start,
            end: i64::MAX,
        }
    }

    fn role(&self, key: Option<&str>) -> Option<Role> {
        let key = key?;
        if key == self.admin_key.expose_secret() {
            Some(Role::Admin)
        } else if key == self.affiliate_key.expose_secret() {
            Some(Role::Affiliate)
        } else {
            None
        }
    }

    fn events(
        &self,
        stream: EventStream,
        role: Role,
        parameters: &Parameters,
        fault: Option<PageFault>,
    ) -> Result<String, Refusal> {
        let zone = parameters.zone()?;
        let zone = if self.holdings.has_fixed_times() {
            TimeZone::UTC
        } else {
            zone
        };
        let today = self.today();
        let (mut query, limits) = match stream {
            EventStream::Clicks => (
                events::click_query(parameters, today, zone)?,
                events::CLICK_LIMITS,
            ),
            EventStream::Conversions => (
                events::conversion_query(parameters, today, zone)?,
                events::CONVERSION_LIMITS,
            ),
        };
        if role == Role::Affiliate {
            if events::asks_for_updates(parameters) {
                return Err(Refusal::Denied);
            }
            query.affiliates = vec![u64::from(AFFILIATE_OF_THE_KEY)];
        }
        if stream == EventStream::Clicks && !self.all_clicks {
            query.created = query.created.and(self.readable_clicks(&query.zone));
        }
        let request = events::page_request(parameters, limits)?;
        let slice = slice(request, fault);
        let page = self
            .holdings
            .events(stream, &query, slice, self.now(), &self.work)?;
        Ok(answer::page_body(
            stream.name(),
            &shifted(page, fault),
            request,
        ))
    }

    fn dimension(
        &self,
        stream: DimensionStream,
        role: Role,
        parameters: &Parameters,
        fault: Option<PageFault>,
    ) -> Result<String, Refusal> {
        let query = dimensions::dimension_query(stream, parameters)?;
        let request = events::page_request(parameters, stream.limits())?;
        let slice = slice(request, fault);
        let page = self
            .holdings
            .dimension(stream, &query, view(role), slice, &self.work)?;
        Ok(answer::page_body(
            stream.collection(),
            &shifted(page, fault),
            request,
        ))
    }

    fn one(&self, stream: DimensionStream, id: &str, role: Role) -> Result<String, Refusal> {
        let (status, key, missing) = match stream {
            DimensionStream::Offers => ("1", "offer", "Offer not found"),
            DimensionStream::Affiliates => ("1", "partner", "Partner not found"),
            // Some replies for one thing spell success this way.
            DimensionStream::Advertisers => ("\"success\"", "advertiser", "Advertiser not found"),
        };
        let row = self.holdings.one(stream, id, view(role), &self.work)?;
        row.map(|row| answer::single_body(status, key, &row))
            .ok_or(Refusal::NotFound(missing))
    }

    fn count_offers(&self) -> u64 {
        let query = DimensionQuery {
            statuses: vec!["active".to_owned()],
            ..DimensionQuery::default()
        };
        let nothing = Slice { skip: 0, take: 0 };
        let page = self.holdings.dimension(
            DimensionStream::Offers,
            &query,
            wire::View::Admin,
            nothing,
            &self.work,
        );
        page.map_or(0, |page| page.total)
    }

    fn managers(&self, parameters: &Parameters) -> Result<String, Refusal> {
        parameters.allow(&[&["page", "limit"]])?;
        let request = events::page_request(parameters, dimensions::ADVERTISER_LIMITS)?;
        let page = self.holdings.managers(slice(request, None), &self.work);
        Ok(answer::page_body("users", &page, request))
    }

    fn one_conversion(&self, parameters: &Parameters) -> Result<String, Refusal> {
        parameters.allow(&[&["id"]])?;
        let id = parameters
            .one("id")
            .ok_or_else(|| Refusal::bad("Parameter 'id' is required".to_owned()))?;
        let row = self.holdings.conversion(id, self.now(), &self.work)?;
        row.map(|row| answer::single_body("1", "conversion", &row))
            .ok_or(Refusal::NotFound("Conversion not found"))
    }
}

/// The affiliate whose key the simulated affiliate key is.
const AFFILIATE_OF_THE_KEY: u32 = 2;

fn view(role: Role) -> wire::View {
    match role {
        Role::Admin => wire::View::Admin,
        Role::Affiliate => wire::View::Affiliate,
    }
}

fn slice(request: PageRequest, fault: Option<PageFault>) -> Slice {
    let skip = (request.page - 1).saturating_mul(request.per_page);
    let skip = match fault {
        None => skip,
        Some(PageFault::Duplicate) => skip.saturating_sub(request.per_page),
        Some(PageFault::Shift(rows)) => skip.saturating_add_signed(rows.saturating_neg()),
    };
    Slice {
        skip,
        take: request.per_page,
    }
}

/// Rows that were inserted or removed before a page count in the total too.
fn shifted(page: Page, fault: Option<PageFault>) -> Page {
    match fault {
        Some(PageFault::Shift(rows)) => Page {
            total: page.total.saturating_add_signed(rows),
            ..page
        },
        _ => page,
    }
}

fn me(role: Role) -> String {
    let (id, kind, roles) = match role {
        Role::Admin => (
            "5d0000000000000000000001",
            "common_manager",
            r#"["ROLE_MANAGER_GENERAL"]"#,
        ),
        Role::Affiliate => ("2", "affiliate", "[]"),
    };
    format!(
        r#"{{"status":1,"user":{{"id":"{id}","email":"{kind}@network.example","first_name":"Demo","last_name":"","type":"{kind}","roles":{roles},"api_key":"{SECRET_MARKER}user-{id}"}}}}"#
    )
}
